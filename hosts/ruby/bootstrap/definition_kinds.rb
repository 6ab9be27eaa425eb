# frozen_string_literal: true

module Lambed
  module Definitions
    # A class's own methods and its singleton's: {[:instance or :singleton, name] => UnboundMethod}.
    module Methods
      module_function

      def of(owner)
        found = {}
        { instance: owner, singleton: owner.singleton_class }.each do |side, place|
          names = place.instance_methods(false) + place.private_instance_methods(false)
          names.each { |name| found[[side, name]] = place.instance_method(name) }
        end
        found
      end

      def label(owner, key) = "#{owner}#{key[0] == :instance ? '#' : '.'}#{key[1]}"
      def place(owner, key) = key[0] == :instance ? owner : owner.singleton_class

      def restore(owner, key, method)
        target = place(owner, key)
        is_private = target.private_method_defined?(key[1], false)
        target.send(:define_method, key[1], method)
        target.send(:private, key[1]) if is_private
      end
    end

    # The global variables of a file, without Ruby's own: {"$name" => :set or :get}.
    module GlobalVariables
      OWN = global_variables.to_h { |name| [name, true] }

      module_function

      def in(path, source)
        text = source.dup.force_encoding(Encoding::UTF_8)
        return {} if path.end_with?(Loading::SUFFIXES.last) || !text.valid_encoding? || !text.match?(/\$[A-Za-z_]/)

        found = {}
        walk(RubyVM::InstructionSequence.compile(text, path).to_a, found)
        found
      rescue SyntaxError
        {} # loading it will say so
      end

      def walk(node, found)
        if (node[0] == :setglobal || node[0] == :getglobal) && node[1].is_a?(Symbol)
          name = node[1]
          return if OWN.key?(name)

          found[name.to_s] = :set if node[0] == :setglobal
          found[name.to_s] ||= :get
        else
          node.each { |part| walk(part, found) if part.is_a?(Array) }
        end
      end
    end

    # The module that a handler's file is loaded into stands for its top level.
    module Wrapping
      # Methods defined at the top level of a file can be called, without receiver, in every class of that file.
      def self.adopt(opened, wrapper)
        return if wrapper.nil? || opened.equal?(wrapper) || opened.include?(wrapper)
        return if opened.is_a?(Class) && !(opened <= Object)

        opened.include(wrapper)
        opened.extend(wrapper)
      end
    end

    # Takes back what code has defined that nobody runs any more.
    module Unloading
      module_function

      def unload(code_id, files, handlers, definitions)
        all = (files.values + handlers.values).uniq
        all.each { |file| file.codes.delete(code_id) unless file.pinned? }
        dead = all.select { |file| file.codes.empty? }
        files.each { |path, file| $LOADED_FEATURES.delete(path) if file.codes.empty? }
        files.delete_if { |_path, file| file.codes.empty? }
        handlers.delete_if { |_key, file| file.codes.empty? }
        definitions.delete_if do |_name, definition|
          definition.files -= dead
          definition.files.empty? && undefine(definition)
        end
      end

      def undefine(definition)
        case definition.kind
        when :constant then undefine_constant(definition)
        when :method then undefine_method(definition)
        when :global then eval("#{definition.name} = nil", TOPLEVEL_BINDING, __FILE__, __LINE__) # rubocop:disable Security/Eval
        end
        true
      end

      def undefine_constant(definition)
        *path, name = definition.name.split('::')
        parent = path.inject(Object) { |scope, part| scope.const_get(part, false) }
        return unless parent.const_defined?(name, false) && parent.const_get(name, false).equal?(definition.value)

        parent.send(:remove_const, name)
      rescue NameError
        nil # went with its parent
      end

      def undefine_method(definition)
        owner, key, previous = definition.previous
        return Methods.restore(owner, key, previous) if previous

        Methods.place(owner, key).send(:remove_method, key[1])
      rescue NameError
        nil # the function has removed it itself
      end
    end
  end
end

# A `def` at the top level of a required file is a method of every object.
Lambed::Definitions.send(:remember_methods, Object)
