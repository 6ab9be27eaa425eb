# frozen_string_literal: true

module Lambed
  # Child processes, signals and exits of handlers, as if each environment were a process of its own.
  #
  # Children see the function's variables and none of the application's, read from nowhere, and write to the function's log.
  module Processes
    SPAWN = Process.method(:spawn)
    POPEN = IO.method(:popen)
    FORK = Process.method(:fork)
    EXEC = Process.method(:exec)
    EXIT_AT_ONCE = Process.method(:exit!)
    KILL = Process.method(:kill)
    WAIT = Process.method(:wait)
    DETACH = Process.method(:detach)
    OPEN = Kernel.instance_method(:open)
    RELAY_PATIENCE = 0.2 # seconds; a grandchild may keep the pipe open
    IGNORED_SIGNALS = %w[CHLD CONT URG WINCH STOP TSTP TTIN TTOU].map { |name| Signal.list[name] }.freeze

    # A pipe whose other end is the function's log.
    class Relay
      attr_reader :writer

      def initialize(environment, stream)
        @environment = environment
        @stream = stream
        @reader, @writer = IO.pipe
      end

      # In the parent, once the child has its copy of the writer.
      def start
        @writer.close
        @thread = Thread.new do
          loop { @environment.log(@stream, @reader.readpartial(65_536).force_encoding(Encoding::UTF_8)) }
        rescue EOFError, IOError
          @reader.close
        end
      end

      def finish = @thread&.join(RELAY_PATIENCE)
      def close = [@reader, @writer].each(&:close)
    end

    # The arguments of spawn, taken apart: variables, command, options with redirections.
    class Request
      attr_reader :variables, :command, :options

      def initialize(environment, arguments)
        arguments = arguments.dup
        given = arguments.first.is_a?(Hash) ? arguments.shift : {}
        @options = arguments.last.is_a?(Hash) ? arguments.pop.dup : {}
        @command = arguments
        @environment = environment
        @relays = {}
        @variables = (@options[:unsetenv_others] ? {} : environment.variables).merge(given).compact
        @options[:unsetenv_others] = true
        @options[:close_others] = true unless @options.key?(:close_others)
      end

      def redirect(*streams)
        @options.each { |key, value| @options[key] = target(value) }
        @options[:in] = File::NULL if streams.include?(0) && !redirected?(:in, 0)
        @options[:out] = relay(1) if streams.include?(1) && !redirected?(:out, 1)
        @options[:err] = relay(2) if streams.include?(2) && !redirected?(:err, 2)
        self
      end

      # The block starts the child and returns its process id, or an IO with one.
      def start
        Native.spawning(1)
        begin
          child = yield
        ensure
          Native.spawning(-1)
        end
        pid = child.is_a?(Integer) ? child : child.pid
        @environment.children[pid] = true
        Native.watch_child(pid)
        @relays.each_value(&:start)
        child
      rescue Exception # rubocop:disable Lint/RescueException
        @relays.each_value(&:close)
        raise
      end

      def finish = @relays.each_value(&:finish)

      private

      def relay(stream) = (@relays[stream] ||= Relay.new(@environment, stream)).writer

      # `err: :out` and the like mean the streams of the parent, which are the function's log.
      def target(value)
        case value
        when :out, 1 then relay(1)
        when :err, 2 then relay(2)
        when Stream then relay(value.fileno)
        else value
        end
      end

      def redirected?(name, number)
        @options.keys.flatten(1).any? { |key| key == name || key == number || (key.is_a?(Stream) && key.fileno == number) }
      end
    end

    module_function

    def spawn(environment, arguments)
      request = Request.new(environment, arguments).redirect(0, 1, 2)
      [request.start { SPAWN.call(request.variables, *request.command, request.options) }, request]
    end

    def system(environment, arguments)
      options = arguments.last.is_a?(Hash) ? arguments.last : {}
      raises = options[:exception]
      arguments = [*arguments[0...-1], options.reject { |key, _| key == :exception }] if raises || options.key?(:exception)
      begin
        pid, request = spawn(environment, arguments)
      rescue SystemCallError
        raise if raises

        return nil
      end
      wait_for(environment, pid)
      request.finish
      return $?.success? if $?.success? || !raises

      command = request.command.first
      raise "Command failed with #{$?.to_s.sub(/\Apid \d+ /, '')}: #{command.is_a?(Array) ? command.first : command}"
    end

    def capture(environment, command)
      io, request = popen(environment, [command])
      output = io.read
      io.close
      request.finish
      output
    end

    def popen(environment, arguments)
      variables = arguments.first.is_a?(Hash) ? arguments.shift : {}
      options = arguments.last.is_a?(Hash) ? arguments.pop : {}
      command, mode = arguments
      raise NotImplementedError, 'IO.popen("-") is not supported; use fork' if command == '-'

      if command.is_a?(Array)
        command = command.dup
        variables = command.shift if command.first.is_a?(Hash)
        options = command.pop.merge(options) if command.last.is_a?(Hash)
      end
      mode ||= 'r'
      request = Request.new(environment, [variables, command, options])
      request.redirect(*(mode.to_s.match?(/\A(?:r[^+]*|rb)\z/) ? [0, 2] : [2]))
      [request.start { POPEN.call(request.variables, command, mode, **request.options) }, request]
    end

    # With a block, the child ends after it; without one it goes on and ends where the handler would have answered.
    def fork(environment, &block)
      relays = [1, 2].map { |stream| Relay.new(environment, stream) }
      pid = FORK.call
      if pid
        environment.children[pid] = true
        Native.watch_child(pid)
        relays.each(&:start)
        return pid
      end
      Native.enter_child
      environment.forked = relays
      run_child(environment, block) if block
    end

    def run_child(environment, block)
      block.call
      leave_child(environment, nil)
    rescue Exception => e # rubocop:disable Lint/RescueException
      leave_child(environment, e)
    end

    # Not by `exit`: that would run the application's exit handlers in the child.
    def leave_child(environment, error)
      EXIT_AT_ONCE.call(error.status) if error.is_a?(SystemExit)
      log_from_child(environment, 2, error.full_message(highlight: false)) if error
      EXIT_AT_ONCE.call(error ? 1 : 0)
    end

    def log_from_child(environment, stream, text)
      environment.forked[stream - 1].writer.write(text)
    end

    # In an environment, `exec` is a child whose end is the end of the environment.
    def exec(environment, arguments)
      if environment.forked
        request = Request.new(environment, arguments)
        outputs = environment.forked.map(&:writer)
        return become(request, { out: outputs[0], err: outputs[1] }.merge(request.options))
      end
      pid, request = spawn(environment, arguments)
      wait_for(environment, pid)
      request.finish
      environment.exit_at_once($?.exitstatus || 0, $?.termsig || 0)
    end

    def become(request, options)
      Native.leave_child
      EXEC.call(request.variables, *request.command, options)
    ensure
      Native.enter_child
    end

    def wait_for(environment, pid, flags = 0)
      Native.watch_child(pid) unless environment.children.key?(pid)
      waited = WAIT.call(pid, flags)
      environment.children.delete(pid) if waited
      waited
    end

    # "Any child" means the function's: the application's children are not ours to collect.
    def wait_for_any(environment, flags)
      pause = 0.001
      loop do
        raise Errno::ECHILD if environment.children.empty?

        environment.children.keys.each do |pid|
          return pid if wait_for(environment, pid, flags | Process::WNOHANG)
        rescue Errno::ECHILD
          environment.children.delete(pid)
        end
        return nil if (flags & Process::WNOHANG) != 0

        sleep(pause)
        pause = [pause * 2, 0.05].min
      end
    end

    def wait(pid = -1, flags = 0)
      environment = Environment.current
      return WAIT.call(pid, flags || 0) unless environment

      pid.positive? ? wait_for(environment, pid, flags || 0) : wait_for_any(environment, flags || 0)
    end

    # Signals that a handler sends to its own process concern its environment.
    def kill(environment, signal, pids)
      own, others = pids.partition { |pid| [Vm::PROCESS, $$, 0, -Process.getpgrp].include?(pid) }
      KILL.call(signal, *others) unless others.empty?
      number = signal_number(signal)
      own.each { raise_signal(environment, number) } unless number.zero?
      pids.size
    end

    def raise_signal(environment, number)
      return KILL.call(number, $$) if environment.forked

      case (command = environment.traps[number])
      when Proc, Method then command.call(number)
      when 'IGNORE', 'SIG_IGN', '', nil.to_s then nil
      when 'EXIT' then Kernel.exit
      else environment.exit_at_once(0, number) unless IGNORED_SIGNALS.include?(number)
      end
    end

    def signal_number(signal)
      return signal.abs if signal.is_a?(Integer)

      name = signal.to_s.delete_prefix('-').delete_prefix('SIG')
      Signal.list[name] || raise(ArgumentError, "unsupported signal `SIG#{name}'")
    end

    def trap(environment, signal, command)
      number = signal_number(signal)
      return environment.at_exit_blocks.push(command).first && nil if number.zero?

      previous = environment.traps[number] || 'DEFAULT'
      environment.traps[number] = command
      previous
    end

    def exit(status)
      error = SystemExit.new({ true => 0, false => 1 }.fetch(status) { Integer(status) }, 'exit')
      leave_by(error)
    end

    def leave_by(error)
      environment = Environment.current
      raise error if environment.nil? || environment.forked || environment.thread.equal?(Thread.current)

      environment.exit_from_thread(error)
    end

    def exit_at_once(status)
      status = { true => 0, false => 1 }.fetch(status) { Integer(status) }
      environment = Environment.current
      return EXIT_AT_ONCE.call(status) if environment.nil? || environment.forked

      environment.exit_at_once(status)
    end

    def abort(message)
      $stderr.puts(message) if message
      leave_by(SystemExit.new(1, message || 'exit'))
    end
  end
end
