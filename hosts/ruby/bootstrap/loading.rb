# frozen_string_literal: true

module Lambed
  # How the files of functions are found and loaded.
  #
  # The handler's file is loaded once per environment into an anonymous module. Files that it requires are loaded once per
  # code, VM-wide as Ruby has it; Definitions watches that they do not overwrite what other code relies on. Each environment
  # has a $LOAD_PATH of its own, so that `require 'helper'` finds the function's own file.
  module Loading
    REQUIRE = Kernel.instance_method(:require)
    LOAD = Kernel.instance_method(:load)
    GEM = Kernel.instance_method(:gem)
    SUFFIXES = ['', '.rb', ".#{RbConfig::CONFIG['DLEXT']}"].freeze
    API_VERSION = RbConfig::CONFIG['ruby_version']
    WRAPPED_LOAD_TAKES_MODULE = (RUBY_VERSION <=> '3.1') >= 0

    @vendored = {} # specification file => Gem::Specification

    module_function

    # -> an object that answers to the methods which the file defines at its top level
    def load_handler(environment, name)
      path = resolve(environment, "#{name}.rb") || raise(LoadError, "cannot load such file -- #{name}")
      wrapper = environment.wrapper = Module.new
      Definitions.share_with(environment)
      Definitions.observe(environment, path) do
        WRAPPED_LOAD_TAKES_MODULE ? LOAD.bind_call(self, path, wrapper) : load_by_eval(path, wrapper)
      end
      receiver = Object.new.extend(wrapper)
      receiver.define_singleton_method(:inspect) { 'main' }
      receiver.define_singleton_method(:to_s) { 'main' }
      receiver
    end

    # Before 3.1 `load` cannot be told which module to use.
    def load_by_eval(path, wrapper)
      wrapper.module_eval(File.read(path, encoding: Encoding::UTF_8), path, 1)
    end

    # The function's own folders; its gems are added when something is not found in these.
    def load_path_of(environment)
      own = [environment.task_root]
      own.concat((environment.variables['RUBYLIB'] || '').split(':'))
      environment.layers.each { |layer| own << "#{layer}/ruby/lib" }
      own.reject { |folder| folder.empty? || Hooks::LOAD_PATH.include?(folder) }.uniq + Hooks::LOAD_PATH
    end

    # -> absolute path of a file that belongs to the function, or nil when Ruby shall look itself
    def resolve(environment, feature)
      return existing(feature) if feature.start_with?('/')
      return existing(File.expand_path(feature)) if feature.start_with?('./', '../', '~')
      return if SharedFeatures.provide?(feature)

      search(environment, feature) || (add_gems(environment) && search(environment, feature)) || nil
    end

    def search(environment, feature)
      environment.load_path.each do |folder|
        next if Hooks::LOAD_PATH.include?(folder)

        path = existing("#{folder}/#{feature}")
        return path if path
      end
      nil
    end

    def existing(path)
      SUFFIXES.each do |suffix|
        next if suffix.empty? && !path.end_with?('.rb', SUFFIXES.last)

        candidate = path + suffix
        return File.realpath(candidate) if File.file?(candidate)
      end
      nil
    end

    # Appends the folders of the function's gems to its load path, once.
    def add_gems(environment)
      return if environment.gems

      environment.gems = {}
      gem_homes(environment).each { |home| gems_in(home).each { |spec| environment.gems[spec.name] ||= spec } }
      folders = environment.gems.values.flat_map(&:full_require_paths)
      environment.load_path.insert(environment.load_path.size - Hooks::LOAD_PATH.size, *folders)
      folders.any?
    end

    # GEM_PATH of the function first, then where `bundle install --path vendor/bundle` and layers put gems.
    def gem_homes(environment)
      homes = (environment.variables['GEM_PATH'] || '').split(':')
      homes.concat(versions_of("#{environment.task_root}/vendor/bundle/ruby"))
      environment.layers.each { |layer| homes.concat(versions_of("#{layer}/ruby/gems")) }
      homes.uniq.select { |home| File.directory?("#{home}/specifications") && !Gem.path.include?(home) }
    end

    # Gems are bundled for a version of Ruby, perhaps not for this one: ruby3.2 code may be run by another. Those that are plain
    # Ruby work all the same. The fitting folder goes first, then the newest.
    def versions_of(folder)
      others = Dir["#{folder}/*"].select { |path| File.basename(path).match?(/\A\d[\d.]*\z/) }
      ["#{folder}/#{API_VERSION}", *others.sort_by { |path| Gem::Version.new(File.basename(path)) }.reverse]
    end

    # The newest version of each gem.
    def gems_in(home)
      specs = Dir["#{home}/specifications/*.gemspec"].map { |file| @vendored[file] ||= Gem::Specification.load(file) }
      specs.compact.sort_by(&:version).reverse.uniq(&:name)
    end

    def require(caller_self, feature)
      environment = Environment.current
      name = feature.respond_to?(:to_path) ? feature.to_path : feature
      return REQUIRE.bind_call(caller_self, feature) unless environment && name.is_a?(String)

      path = resolve(environment, name)
      if path && Definitions.function_file?(path)
        Definitions.load(environment, path) { REQUIRE.bind_call(caller_self, path) }
      else
        require_shared(environment) { REQUIRE.bind_call(caller_self, path || feature) }
      end
    end

    # Files of Ruby and of the system's gems see the VM's own $LOAD_PATH.
    def require_shared(environment)
      own = environment.load_path
      return yield if own.equal?(Hooks::LOAD_PATH)

      begin
        environment.load_path = Hooks::LOAD_PATH
        yield
      ensure
        environment.load_path = own
        Definitions.share_with(environment)
      end
    end

    def load(caller_self, feature, wrap)
      environment = Environment.current
      path = environment && feature.is_a?(String) && (resolve(environment, feature) || existing(File.expand_path(feature)))
      return LOAD.bind_call(caller_self, feature, wrap) unless path && Definitions.function_file?(path)

      Definitions.observe(environment, path) { LOAD.bind_call(caller_self, path, wrap) }
    end

    def gem(caller_self, name, *requirements)
      environment = Environment.current
      if environment
        add_gems(environment)
        return true if environment.gems.key?(name)
      end
      GEM.bind_call(caller_self, name, *requirements)
    end
  end

  # Features that Ruby or the system's gems have loaded: a function's copy of one must not be loaded over it. (Lambda does
  # the same: what its runtime has loaded wins.)
  module SharedFeatures
    @known = {}
    @seen = 0

    def self.provide?(feature)
      learn if $LOADED_FEATURES.size != @seen
      @known.key?(feature.delete_suffix('.rb').delete_suffix('.so'))
    end

    def self.learn
      features = $LOADED_FEATURES.dup
      @seen = features.size
      folders = Hooks::LOAD_PATH.map { |folder| "#{folder}/" }
      (features - (@examined || [])).each do |path|
        next if Definitions.function_file?(path)

        folder = folders.find { |candidate| path.start_with?(candidate) }
        @known[(folder ? path.delete_prefix(folder) : path).delete_suffix('.rb').delete_suffix('.so')] = true
      end
      @examined = features
    end
    private_class_method :learn
  end
end

module Kernel
  def require(feature) = Lambed::Loading.require(self, feature)

  def require_relative(feature)
    location = caller_locations(1, 1)[0]
    folder = File.dirname(location.absolute_path || File.expand_path(location.path))
    Lambed::Loading.require(self, File.expand_path(feature.respond_to?(:to_path) ? feature.to_path : feature, folder))
  end

  def load(feature, wrap = false) = Lambed::Loading.load(self, feature, wrap)
  def gem(name, *requirements) = Lambed::Loading.gem(self, name, *requirements)
  private :require, :require_relative, :load, :gem

  class << self
    def require(feature) = Lambed::Loading.require(self, feature)
    def load(feature, wrap = false) = Lambed::Loading.load(self, feature, wrap)
  end
end
