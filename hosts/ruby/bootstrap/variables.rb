# frozen_string_literal: true

module Lambed
  # ENV: the variables of the function that the current thread works for. The process's own are never shown to handlers.
  class Variables
    include Enumerable

    PROCESS = ENV

    %i[empty? size length keys values value? has_value? key rassoc invert to_a inspect any? count
       select filter reject slice except values_at each_with_object sum find_all filter_map partition].each do |name|
      next unless {}.respond_to?(name)

      define_method(name) { |*arguments, &block| current.public_send(name, *arguments, &block) }
    end

    def [](name) = current[string(name)]
    def fetch(name, *default, &block) = current.fetch(string(name), *default, &block)
    def key?(name) = current.key?(string(name))
    alias has_key? key?
    alias include? key?
    alias member? key?
    def assoc(name) = current.assoc(string(name))

    def []=(name, value)
      name = string(name)
      raise Errno::EINVAL, "Invalid argument - setenv(#{name})" if name.empty? || name.include?('=')

      if value.nil?
        current.delete(name)
      else
        current[name.dup.freeze] = string(value).dup.freeze
      end
    end
    alias store []=

    def delete(name, &block) = current.delete(string(name), &block)

    def clear
      current.clear
      self
    end

    def each(&block)
      return to_enum(:each) { size } unless block

      current.to_h.each(&block)
      self
    end
    alias each_pair each

    def each_key(&block)
      return to_enum(:each_key) { size } unless block

      keys.each(&block)
      self
    end

    def each_value(&block)
      return to_enum(:each_value) { size } unless block

      values.each(&block)
      self
    end

    def to_h(&block) = block ? current.to_h(&block) : current.to_h.dup
    def to_hash = current.to_h.dup

    def update(*others)
      others.each do |other|
        other.to_hash.each { |name, value| self[name] = block_given? && key?(name) ? yield(name, self[name], value) : value }
      end
      self
    end
    alias merge! update

    def replace(other)
      other = other.to_hash
      other.each { |name, value| [string(name), string(value)] }
      clear
      update(other)
    end

    def delete_if(&block)
      return to_enum(:delete_if) { size } unless block

      reject!(&block)
      self
    end

    def keep_if(&block)
      return to_enum(:keep_if) { size } unless block

      select!(&block)
      self
    end

    def reject!(&block)
      return to_enum(:reject!) { size } unless block

      doomed = to_h.select(&block).keys
      doomed.each { |name| delete(name) }
      doomed.empty? ? nil : self
    end

    def select!(&block)
      return to_enum(:select!) { size } unless block

      reject! { |name, value| !block.call(name, value) }
    end
    alias filter! select!

    def shift
      name = keys.first
      name && [name, delete(name)]
    end

    def rehash = nil
    def to_s = 'ENV'
    def freeze = raise(TypeError, 'cannot freeze ENV')
    def dup = raise(TypeError, 'Cannot dup ENV, use ENV.to_h to get a copy of ENV as a hash')
    def clone(**) = raise(TypeError, 'Cannot clone ENV, use ENV.to_h to get a copy of ENV as a hash')

    private

    def current
      environment = Environment.current
      environment ? environment.variables : PROCESS
    end

    def string(value)
      value.is_a?(String) ? value : (String.try_convert(value) || implicit_conversion_failed(value))
    end

    def implicit_conversion_failed(value)
      raise TypeError, "no implicit conversion of #{value.nil? ? 'nil' : value.class} into String"
    end
  end
end

Object.send(:remove_const, :ENV)
ENV = Lambed::Variables.new
