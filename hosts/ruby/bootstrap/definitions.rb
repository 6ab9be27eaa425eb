# frozen_string_literal: true

module Lambed
  # What the files of functions have defined in the VM: constants, methods of shared classes, global variables.
  #
  # Ruby has one space of names for all functions of a process. A file that would define what a file of other code has
  # defined is refused before its class body runs (constants, methods and globals: undone at once), because otherwise the
  # other function would silently run its methods. Equal files are shared. What code has defined is taken back when its last
  # environment ends, so that the next version can be loaded.
  module Definitions
    # A file under a function's task root or layers; `codes`: {code_id => function name} of the code that uses it.
    class SourceFile
      attr_reader :path, :digest, :codes, :children, :source
      # It is being loaded, or loading it has failed: it has to be required once more.
      attr_accessor :failed
      # The thread that is loading it.
      attr_accessor :loader

      def initialize(path, source, digest, wrapped)
        @path = path
        @source = source
        @digest = digest
        @wrapped = wrapped
        @codes = {}
        @children = []
      end

      def wrapped? = @wrapped
      # A C extension cannot be loaded a second time: what it defines stays.
      def pinned? = @path.end_with?(Loading::SUFFIXES.last)
      def used_by?(environment) = @codes.key?(environment.code_id)
      def loading_elsewhere? = !@loader.nil? && !@loader.equal?(Thread.current) && @loader.alive?
    end

    # `previous`: the method of Ruby itself that was replaced.
    Definition = Struct.new(:kind, :name, :value, :files, :previous) do
      def foreign_to(environment)
        files.find { |file| !file.used_by?(environment) } if files.none? { |file| file.used_by?(environment) }
      end
    end

    MISMATCH = /\A(?:superclass mismatch for class (\S+)|(\S+) is not a (?:class|module))/.freeze

    LOAD_PATIENCE = 2 # seconds
    LOAD_INTERVAL = 0.002

    @lock = Monitor.new   # guards the tables; never held while code of a function runs
    @environments = Hash.new(0) # code_id => how many
    @files = {}           # path => SourceFile, for required files
    @handlers = {}        # [code_id, path] => SourceFile, for what is loaded into a module
    @definitions = {}     # name => Definition
    @methods_before = {}.compare_by_identity # shared class => its methods before any function changed it
    @loads = 0

    class << self
      def enter(environment)
        @lock.synchronize { @environments[environment.code_id] += 1 }
        environment.entered = true
      end

      def leave(environment)
        return unless environment.entered

        @lock.synchronize do
          left = @environments[environment.code_id] -= 1
          next if left.positive?

          @environments.delete(environment.code_id)
          Unloading.unload(environment.code_id, @files, @handlers, @definitions)
          remember_constants
        end
      end

      # Files of Ruby itself and of the system's gems belong to nobody.
      def function_file?(path) = !path.start_with?(*SHARED_FOLDERS)

      # A required file. The block requires it.
      def load(environment, path, &block)
        source = File.binread(path)
        digest = Digest::SHA256.digest(source)
        await_loaders(path, digest)
        known = @files[path]
        return false if known&.loader.equal?(Thread.current) # files that require each other
        return reuse(environment, known, digest, &block) if known && !known.codes.empty? && !known.failed
        return false if adopt(environment, path, digest)

        file = known && known.digest == digest ? known : SourceFile.new(path, source, digest, false)
        @lock.synchronize { @files[path] = file }
        load_anew(environment, file, &block)
      end

      # A file that may be loaded more than once: the handler's, or one given to `load`.
      def observe(environment, path, &block)
        source = File.binread(path)
        key = [environment.code_id, path]
        file = @lock.synchronize { @handlers[key] ||= SourceFile.new(path, source, Digest::SHA256.digest(source), true) }
        watch(environment, file, &block)
      end

      # Makes the classes that the environment may reopen visible in its module: `class String` there means ::String.
      def share_with(environment)
        wrapper = environment.wrapper or return
        shared_modules.each { |name, value| wrapper.const_set(name, value) unless wrapper.const_defined?(name, false) }
        @lock.synchronize { @definitions.values }.each do |definition|
          next if definition.kind != :constant || definition.name.include?('::') || definition.foreign_to(environment)
          next if !definition.value.is_a?(Module) || wrapper.const_defined?(definition.name, false)

          wrapper.const_set(definition.name, definition.value)
        end
      end

      def class_opened(point)
        file = (Thread.current[:lambed_loads] || []).last
        return unless file && file.path == point.path

        environment = Environment.current
        opened = point.self
        return if opened.singleton_class?

        name = Errors::NAME.bind_call(opened)
        return Wrapping.adopt(opened, environment.wrapper) if name.nil? || name.start_with?('#<')

        @lock.synchronize { note_class(environment, file, opened, name) }
      end

      private

      def load_anew(environment, file, &block)
        file.failed = true
        file.loader = Thread.current
        watch(environment, file, &block).tap { file.failed = false }
      ensure
        file.loader = nil
      end

      # Who requires a file, or one like it, while another thread is still loading that finds half of what it defines. Not for
      # ever: two threads may wait for each other's files.
      def await_loaders(path, digest)
        until_when = Process.clock_gettime(Process::CLOCK_MONOTONIC) + LOAD_PATIENCE
        while @lock.synchronize { @files.values.any? { |file| file.loading_elsewhere? && like?(file, path, digest) } }
          return if Process.clock_gettime(Process::CLOCK_MONOTONIC) > until_when

          sleep LOAD_INTERVAL
        end
      end

      def like?(file, path, digest) = file.path == path || (file.digest == digest && twin?(file, path))

      def reuse(environment, file, digest)
        refuse(environment, "#{file.path} has changed", file, nil) if file.digest != digest
        use(environment, file)
        yield # false, or waits until the thread that is loading it has finished
      ensure
        share_with(environment)
      end

      def use(environment, file)
        return if file.used_by?(environment)

        file.codes[environment.code_id] = environment.function_name
        file.children.each { |child| use(environment, child) }
      end

      # Another code has loaded the same file from its own folder, and the files which that one required are the same too.
      def adopt(environment, path, digest)
        @lock.synchronize do
          twin = @files.values.find do |file|
            file.digest == digest && !file.codes.empty? && !file.failed && twin?(file, path)
          end
          next false unless twin

          common = common_suffix(twin.path, path)
          roots = [twin.path.delete_suffix(common), path.delete_suffix(common)]
          family = family_of(twin)
          next false unless family.all? { |file| same_under?(file, *roots) }

          family.each { |file| @files[file.path.sub(roots[0], roots[1])] = file }
          use(environment, twin)
          true
        end.tap { |adopted| share_with(environment) if adopted }
      end

      # A file that looks at its own place may find other things there.
      def twin?(file, path)
        File.basename(file.path) == File.basename(path) && !file.source.match?(/__dir__|__FILE__/)
      end

      def family_of(file, seen = [])
        return seen if seen.include?(file)

        seen << file
        file.children.each { |child| family_of(child, seen) }
        seen
      end

      def same_under?(file, root, other_root)
        return true unless file.path.start_with?(root)

        other = file.path.sub(root, other_root)
        File.file?(other) && Digest::SHA256.digest(File.binread(other)) == file.digest
      end

      def common_suffix(one, other)
        parts = one.split('/').reverse.zip(other.split('/').reverse).take_while { |a, b| a == b }
        "/#{parts.map(&:first).reverse.join('/')}"
      end

      def watch(environment, file)
        loads = (Thread.current[:lambed_loads] ||= [])
        loads.last.children << file if loads.last && !file.wrapped?
        file.codes[environment.code_id] = environment.function_name
        claim_globals(environment, file)
        loads.push(file)
        trace(1)
        yield
      rescue TypeError => e
        explain_mismatch(environment, file, e)
        raise
      ensure
        if loads&.last.equal?(file)
          trace(-1)
          loads.pop
          @lock.synchronize { sweep(environment, file) }
          share_with(environment)
        end
      end

      def trace(change)
        @lock.synchronize do
          before = @loads
          @loads += change
          TRACE.enable if before.zero?
          TRACE.disable if @loads.zero?
        end
      end

      def note_class(environment, file, opened, name)
        known = @definitions[name]
        if known && known.value.equal?(opened)
          foreign = known.foreign_to(environment)
          refuse(environment, "both define #{opened.class.name.downcase} #{name}", foreign, file) if foreign
          known.files |= [file]
        elsif constant_file(name) == file.path
          @definitions[name] = Definition.new(:constant, name, opened, [file])
        else
          remember_methods(opened)
        end
      end

      def constant_file(name)
        Object.const_source_location(name)&.first
      rescue NameError
        nil
      end

      def remember_methods(owner)
        @methods_before[owner] ||= Methods.of(owner)
      end

      # What a load has defined without opening a class: plain constants, methods of Object and of reopened classes.
      def sweep(environment, file)
        sweep_new_constants(file)
        sweep_changed_constants(environment)
        @methods_before.each { |owner, before| sweep_methods(environment, owner, before) }
      end

      def sweep_new_constants(file)
        names = Object.constants
        return if names.size == @constant_count

        (names - @constants.keys).each do |name|
          next if Object.autoload?(name)

          location = constant_file(name)
          next unless location && function_file?(location) && !@definitions.key?(name.to_s)

          @definitions[name.to_s] = Definition.new(:constant, name.to_s, Object.const_get(name), [@files[location] || file])
        end
        remember_constants
      end

      def sweep_changed_constants(environment)
        @definitions.each_value do |definition|
          next if definition.kind != :constant || definition.name.include?('::')
          next unless Object.const_defined?(definition.name, false)

          value = Object.const_get(definition.name, false)
          next if value.equal?(definition.value)

          by = file_of(environment, constant_file(definition.name))
          next unless by

          foreign = definition.foreign_to(environment)
          if foreign
            Object.send(:remove_const, definition.name)
            Object.const_set(definition.name, definition.value)
            refuse(environment, "both define #{definition.name}", foreign, by)
          end
          definition.value = value
          definition.files |= [by]
        end
      end

      def sweep_methods(environment, owner, before)
        Methods.of(owner).each do |key, method|
          by = file_of(environment, method.source_location&.first)
          next unless by

          name = Methods.label(owner, key)
          known = @definitions[name]
          next if known && known.value == method

          foreign = known&.foreign_to(environment)
          if foreign
            Methods.restore(owner, key, known.value)
            refuse(environment, "both define the method #{name}", foreign, by)
          end
          note_method(environment, name, owner, key, method, before[key], by)
        end
      end

      def note_method(environment, name, owner, key, method, previous, by)
        known = @definitions[name]
        if known
          known.value = method
          known.files |= [by]
          return
        end
        @definitions[name] = Definition.new(:method, name, method, [by], [owner, key, previous])
        return unless previous

        environment.notice("function '#{environment.function_name}' replaces #{name} (#{by.path}) for every Ruby function of " \
                           'this process; give it `process` isolation if that is not meant')
      end

      def file_of(environment, path)
        return unless path

        file = @handlers[[environment.code_id, path]] || @files[path]
        file if file&.used_by?(environment)
      end

      # Before the file runs: a variable that one code sets and another uses would carry values between them.
      def claim_globals(environment, file)
        GlobalVariables.in(file.path, file.source).each do |name, use|
          @lock.synchronize do
            known = @definitions[name] ||= Definition.new(:global, name, use, [])
            foreign = known.foreign_to(environment)
            if foreign && (use == :set || known.value == :set)
              refuse(environment, "both use the global variable #{name}", foreign, file)
            end
            known.value = use if use == :set
            known.files |= [file]
          end
        end
      end

      def explain_mismatch(environment, file, error)
        name = error.message[MISMATCH, 1] || error.message[MISMATCH, 2] or return
        @definitions.each_value do |definition|
          next unless definition.kind == :constant && (definition.name == name || definition.name.end_with?("::#{name}"))

          foreign = definition.foreign_to(environment)
          refuse(environment, "both define #{definition.name}", foreign, file) if foreign
        end
      end

      def refuse(environment, what, foreign, file)
        other = foreign.codes.values.first
        places = [file&.path, foreign.path].compact.uniq.join(' and ')
        environment.clash = Clash.new(
          "function '#{environment.function_name}' cannot run in the same Ruby VM as #{other_words(environment, other)}: " \
          "#{what} (#{places}). Constants, global variables and required files are shared by all Ruby functions of a process; " \
          'use `process` isolation for one of the two'
        )
        raise environment.clash
      end

      def other_words(environment, other)
        other == environment.function_name ? "other code of '#{other}', which is still in use" : "function '#{other}'"
      end

      # Classes and modules at the top level that no function has defined.
      def shared_modules
        names = Object.constants
        return @shared_modules if @shared_count == names.size

        modules = names.filter_map do |name|
          next if name == :Lambed || Object.autoload?(name) || @definitions.key?(name.to_s)
          next if (location = constant_file(name)) && function_file?(location) && File.exist?(location)

          value = Object.const_get(name)
          [name, value] if value.is_a?(Module)
        end
        @shared_count = names.size
        @shared_modules = modules
      end

      def remember_constants
        @constants = Object.constants.to_h { |name| [name, true] }
        @constant_count = @constants.size
      end
    end

    SHARED_FOLDERS = (Hooks::LOAD_PATH + Gem.path + [RbConfig::CONFIG['rubylibprefix']])
                     .flat_map { |folder| [folder, File.exist?(folder) ? File.realpath(folder) : folder] }
                     .uniq.map { |folder| "#{folder}/" } + ['lambed/', '<internal:']
    TRACE = TracePoint.new(:class) { |point| Definitions.class_opened(point) }
    remember_constants
  end
end
