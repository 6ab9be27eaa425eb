# frozen_string_literal: true

# The methods through which handlers reach the process. Outside of an environment they do what they always did.
module Lambed
  module ProcessMethods
    def spawn(*arguments)
      environment = Environment.current
      environment ? Processes.spawn(environment, arguments).first : Processes::SPAWN.call(*arguments)
    end

    def fork(&block)
      environment = Environment.current
      environment ? Processes.fork(environment, &block) : Processes::FORK.call(&block)
    end

    def exec(*arguments)
      environment = Environment.current
      environment ? Processes.exec(environment, arguments) : Processes::EXEC.call(*arguments)
    end

    def exit(status = true) = Processes.exit(status)
    def exit!(status = false) = Processes.exit_at_once(status)
    def abort(message = nil) = Processes.abort(message)
  end

  module KernelMethods
    SYSTEM = Kernel.method(:system)
    CAPTURE = Kernel.method(:`)
    AT_EXIT = Kernel.method(:at_exit)
    TRAP = Signal.method(:trap)

    def system(*arguments)
      environment = Environment.current
      environment ? Processes.system(environment, arguments) : SYSTEM.call(*arguments)
    end

    def `(command)
      environment = Environment.current
      environment ? Processes.capture(environment, command) : CAPTURE.call(command)
    end

    def at_exit(&block)
      environment = Environment.current
      return AT_EXIT.call(&block) unless environment

      environment.at_exit_blocks.push(block)
      block
    end

    def trap(signal, command = nil, &block)
      environment = Environment.current
      environment ? Processes.trap(environment, signal, command || block) : TRAP.call(signal, command || block)
    end

    def open(name, *arguments, **options, &block)
      environment = name.is_a?(String) && name.start_with?('|') && Environment.current
      return Processes::OPEN.bind_call(self, name, *arguments, **options, &block) unless environment

      IO.popen(name[1..], *arguments, **options, &block)
    end
  end

  module WaitMethods
    def wait(pid = -1, flags = 0) = Processes.wait(pid, flags)
    alias waitpid wait

    def wait2(pid = -1, flags = 0)
      waited = Processes.wait(pid, flags)
      waited && [waited, $?]
    end
    alias waitpid2 wait2

    def waitall
      ended = []
      loop { ended << wait2 }
    rescue Errno::ECHILD
      ended
    end

    def detach(pid)
      environment = Environment.current
      environment&.children&.delete(pid)
      Native.watch_child(pid) if environment
      Processes::DETACH.call(pid)
    end

    def kill(signal, *pids)
      environment = Environment.current
      environment ? Processes.kill(environment, signal, pids) : Processes::KILL.call(signal, *pids)
    end

    # What would change the whole application.
    %i[daemon setsid setpgrp setrlimit setproctitle uid= gid= euid= egid= groups= initgroups].each do |name|
      original = Process.method(name)
      define_method(name) do |*arguments|
        return original.call(*arguments) if Environment.current.nil? || Environment.current.forked

        raise NotImplementedError, "Process.#{name} would change the whole application; use `process` isolation"
      end
    end
  end

  module DirectoryMethods
    def chdir(*arguments, &block)
      return super if Environment.current.nil? || Environment.current.forked

      raise NotImplementedError, 'Dir.chdir would move the whole application; use absolute paths or `process` isolation'
    end

    def chroot(*)
      raise NotImplementedError, 'Dir.chroot would move the whole application; use `process` isolation'
    end
  end

  module UmaskMethods
    def umask(*arguments)
      return super if arguments.empty? || Environment.current.nil? || Environment.current.forked

      raise NotImplementedError, 'File.umask would change the whole application; use `process` isolation'
    end
  end

  module PopenMethods
    def popen(*arguments, **options, &block)
      environment = Environment.current
      return super unless environment

      arguments.push(options) unless options.empty?
      io, request = Processes.popen(environment, arguments)
      return io unless block

      begin
        yield io
      ensure
        io.close unless io.closed?
        request.finish
      end
    end
  end
end

Process.singleton_class.prepend(Lambed::ProcessMethods, Lambed::WaitMethods)
Signal.singleton_class.prepend(Module.new { define_method(:trap, Lambed::KernelMethods.instance_method(:trap)) })
IO.singleton_class.prepend(Lambed::PopenMethods)
Dir.singleton_class.prepend(Lambed::DirectoryMethods)
File.singleton_class.prepend(Lambed::UmaskMethods)

# Redefined in Kernel itself: a module that is prepended to Kernel later reaches no class before Ruby 3.0.
[Lambed::ProcessMethods, Lambed::KernelMethods].each do |source|
  source.instance_methods(false).each do |name|
    method = source.instance_method(name)
    Kernel.define_method(name) { |*arguments, **options, &block| method.bind_call(self, *arguments, **options, &block) }
    Kernel.send(:private, name)
    Kernel.define_singleton_method(name) do |*arguments, **options, &block|
      method.bind_call(self, *arguments, **options, &block)
    end
  end
end
