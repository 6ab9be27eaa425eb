# frozen_string_literal: true

module Lambed
  # Threads that a handler starts join the group of their creator, and so belong to its environment.
  class Threads < ThreadGroup
    attr_accessor :environment
  end

  # One execution environment: a Ruby thread that loads the handler into a module of its own and serves invocations.
  #
  # An interrupt can arrive at any point while an answer is due (Native.busy), so also in the host's own code here; whatever
  # it unwinds, `run`'s `ensure` gives the answer that is still due. Answering ends the time in which interrupts arrive.
  class Environment
    SUCCESS = 0
    FUNCTION_ERROR = 1
    EXITED = 2
    INTERRUPTED = 4
    REFUSED = 5
    DISCARD = 1
    BINARY = 2
    MEANS_KILL = 2
    MEANS_GIVE_UP = 3
    PURSUIT_INTERVAL = 0.1 # seconds
    UNINTERRUPTED = { Object => :never }.freeze
    INTERRUPTED_AT_ONCE = { Object => :immediate }.freeze
    MEMORY_REPORT_INTERVAL = 64 # invocations

    @table = {}

    class << self
      # The one that the current thread works for, or nil.
      def current
        group = Thread.current.group
        group.is_a?(Threads) ? group.environment : nil
      end

      def start(handle)
        environment = new(handle)
        @table[environment.id] = environment
        environment.launch
      end

      # By the VM's thread. `id` may name an environment that has ended.
      def interrupt(id, token, means)
        environment = @table[id] or return
        means == MEANS_GIVE_UP ? environment.pursue : environment.interrupt(token, means)
      end

      def forget(id) = @table.delete(id)
      def count = @table.size
    end

    attr_reader :id, :function_name, :code_id, :task_root, :layers, :variables, :log_group, :log_stream, :memory_limit_in_mb,
                :streams, :request_id, :thread, :at_exit_blocks, :children, :traps
    # `forked`: in a child made by `fork`, the pipes that lead back to the log; else nil.
    attr_accessor :load_path, :wrapper, :clash, :forked, :gems, :entered

    def initialize(handle)
      @handle = handle
      @id, @function_name, _version, @code_id, @handler, @task_root, @layers, variables, @log_group, @log_stream,
        memory_limit, @json_logs = Native.options(handle)
      @memory_limit_in_mb = (memory_limit >> 20).to_s
      @variables = Hash[*variables]
      @variables.each { |name, value| [name.freeze, value.freeze] }
      @streams = []
      @at_exit_blocks = []
      @children = {}
      @traps = {}
      @group = Threads.new
      @group.environment = self
      @invocations = 0
      @load_path = Loading.load_path_of(self)
    end

    # The thread begins uninterruptible, as its creator is at that moment: an interrupt that came before its first line would end
    # it without any of `run`.
    def launch
      Thread.handle_interrupt(UNINTERRUPTED) { Thread.new { run } }
    rescue ThreadError => e
      finish(REFUSED, DISCARD, "no thread for the environment: #{e.message}")
      retire
    end

    def log(stream, text)
      return Processes.log_from_child(self, stream, text) if @forked

      Native.log(@handle, stream, text, text.bytesize) if @handle
    end

    def notice(text)
      Native.notice(@handle, text, text.bytesize) if @handle
    end

    def interrupt(token, means)
      return unless @handle && Native.running(@handle, token)

      @interrupted = true
      means == MEANS_KILL ? @thread.kill : @thread.raise(Interruption)
    end

    # Nobody waits for it any more, but until it ends the VM is refused to others: a long call into C returns some day.
    def pursue
      Thread.new do
        while @thread&.alive?
          @thread.kill
          sleep PURSUIT_INTERVAL
        end
      end
    end

    # The function has ended its process. Does not return. Any thread of the environment.
    def exit_at_once(exit_code, term_signal = 0)
      @ending = [EXITED, exit_code, term_signal]
      @thread.kill
      Thread.current.kill
      sleep
    end

    # The same with `ensure` and `rescue` clauses, as SystemExit does it.
    def exit_from_thread(error)
      @thread.raise(error)
      Thread.current.kill
    end

    private

    def run
      @thread = Thread.current # the creator may not have come as far yet
      @group.add(Thread.current)
      Thread.current.report_on_exception = false
      Native.adopt_thread(@handle)
      opened = false
      Thread.handle_interrupt(INTERRUPTED_AT_ONCE) do
        opened = initialise
        serve if opened
      end
    rescue Exception # rubocop:disable Lint/RescueException
      nil # an interrupt that came while another exception was handled
    ensure
      # The next means of an interrupt may be on its way already; it cannot cut this short (see launch).
      wind_up(opened)
    end

    def wind_up(opened)
      Processes.leave_child(self, $!) if @forked
      answer_what_is_due
      refuse_the_rest if opened
    ensure
      retire
    end

    def initialise
      file, @receiver_name, @method = Handler.parse(@handler)
      Definitions.enter(self)
      receiver = Loading.load_handler(self, file)
      raise @clash if @clash

      @receiver = receiver unless @receiver_name
      Vm.report_memory
      finish(SUCCESS, 0, '')
      true
    rescue Exception => e # rubocop:disable Lint/RescueException
      answer_failure(e, 'Init')
      false
    end

    def serve
      while !@finished && (event = Native.take(@handle))
        invoke(event)
      end
    end

    def invoke(event)
      request = Native.request(@handle, @arn, @version)
      @request_id, @arn, @version = request
      trace = request[4]
      @variables['_X_AMZN_TRACE_ID'] = trace if trace
      begin
        response = receiver.__send__(@method, event: JSON.parse(event), context: Context.new(self, request))
        binary = response.is_a?(StringIO)
        payload = binary ? response.string : JSON.generate(response)
      rescue Exception => e # rubocop:disable Lint/RescueException
        Processes.leave_child(self, e) if @forked
        return answer_failure(e, 'Function')
      end
      Processes.leave_child(self, nil) if @forked
      return finish(INTERRUPTED, DISCARD, '') if @interrupted
      return answer_failure(@clash, 'Function') if @clash

      Vm.report_memory if ((@invocations += 1) % MEMORY_REPORT_INTERVAL).zero?
      Native.succeed(@handle, payload, payload.bytesize, binary ? BINARY : 0)
    end

    # Looked up at the invocation, as Lambda does it: a missing class is an error of the function, not of its init.
    def receiver
      @receiver ||= @receiver_name.split('::').inject(@wrapper) { |scope, name| scope.const_get(name) }
    end

    def answer_failure(error, stage)
      case error
      when Interruption then finish(INTERRUPTED, DISCARD, '')
      when SystemExit then answer_exit(error)
      when Clash then finish(REFUSED, DISCARD, error.message)
      else
        return finish(INTERRUPTED, DISCARD, '') if @interrupted
        return finish(REFUSED, DISCARD, @clash.message) if @clash

        document = Errors.document(error, stage)
        what = stage == 'Init' ? "Init error when loading handler #{@handler}" : 'Error raised from handler method'
        log(1, "#{what}\n#{document}\n")
        finish(FUNCTION_ERROR, stage == 'Init' ? DISCARD : 0, document, Errors.type(error, stage))
      end
    end

    def answer_exit(error)
      run_at_exit_blocks
      finish(EXITED, DISCARD, '', '', error.status)
    end

    def run_at_exit_blocks
      while (block = @at_exit_blocks.pop)
        block.call
      end
    rescue Exception => e # rubocop:disable Lint/RescueException
      log(2, e.full_message(highlight: false))
    end

    def finish(kind, flags, payload, error_type = '', exit_code = 0, term_signal = 0)
      @finished = true if flags == DISCARD
      Native.finish(@handle, kind, flags, exit_code, term_signal, payload, payload.bytesize, error_type, error_type.bytesize)
    end

    # After Thread#kill, which runs no `rescue`.
    def answer_what_is_due
      return unless Native.busy(@handle)

      kind, exit_code, term_signal = @ending || [INTERRUPTED, 0, 0]
      finish(kind, DISCARD, '', '', exit_code, term_signal)
    end

    def refuse_the_rest
      while Native.take(@handle)
        finish(REFUSED, DISCARD, "the environment of function '#{@function_name}' has ended")
      end
    end

    def retire
      self.class.forget(@id)
      (@group.list - [Thread.current]).each(&:kill)
      Definitions.leave(self)
    ensure
      handle = @handle
      @handle = nil
      Native.closed(handle)
    end
  end
end

Lambed::Native.hook_variables(Lambed::Hooks)
