# frozen_string_literal: true

require 'net/http' # Lambda's own runtime has it loaded, and what it needs, before a function's code

module Lambed
  # A worker: the process is the function's own, and so are Ruby's main thread, ENV, $LOAD_PATH, children, signals and exits. Takes
  # the place of environment.rb and of all that keeps environments of one process apart.
  class Environment
    SUCCESS = 0
    FUNCTION_ERROR = 1
    DISCARD = 1
    BINARY = 2
    # In a launcher, before it is first forked: what lives through that many collections is old, and no worker's collector marks it.
    COLLECTIONS = 4
    NO_PROGRAM = '/proc/self/no-such-program'

    class << self
      # Nil in a child that the function has forked: its core is the parent's, so it writes to descriptors 1 and 2.
      def current = @process == $$ ? @current : nil

      def prepare_to_be_forked
        @prepared ||= COLLECTIONS.times { GC.start }
      end

      # Ruby forgets the pipe and the timer that wake its main thread, which it still shares with the launcher, when a process image
      # could not be replaced: the one way to that for a process that Ruby itself has not forked.
      def forked
        Process.exec([NO_PROGRAM, NO_PROGRAM])
      rescue SystemCallError
        Random.srand
      end

      def serve(handle)
        @process = $$
        @current = new(handle)
        @current.run
      end
    end

    attr_reader :function_name, :memory_limit_in_mb, :log_group, :log_stream, :request_id, :streams

    def initialize(handle)
      @handle = handle
      _id, @function_name, _version, _code, @handler, @task_root, @layers, variables, @log_group, @log_stream,
        memory_limit, = Native.options(handle)
      @memory_limit_in_mb = (memory_limit >> 20).to_s
      @streams = []
      ENV.replace(Hash[*variables])
    end

    def log(stream, text) = Native.log(@handle, stream, text, text.bytesize)

    def run
      if initialise
        while (event = Native.take(@handle))
          invoke(event)
        end
      end
      Native.closed(@handle)
    end

    private

    def initialise
      Dir.chdir(@task_root) if File.directory?(@task_root)
      file, @receiver_name, @method = Handler.parse(@handler)
      Handler.find_code(@task_root, @layers)
      Handler.load(file)
      finish(SUCCESS, 0, '')
      true
    rescue SystemExit, SignalException
      raise # the process ends
    rescue Exception => e # rubocop:disable Lint/RescueException
      answer_failure(e, 'Init')
      false
    end

    def invoke(event)
      request = Native.request(@handle, @arn, @version)
      @request_id, @arn, @version = request
      ENV['_X_AMZN_TRACE_ID'] = request[4] if request[4]
      begin
        response = receiver.__send__(@method, event: JSON.parse(event), context: Context.new(self, request))
        return leave_forked(nil) unless Environment.current

        binary = response.is_a?(StringIO)
        payload = binary ? response.string : JSON.generate(response)
      rescue SystemExit, SignalException
        raise
      rescue Exception => e # rubocop:disable Lint/RescueException
        return leave_forked(e) unless Environment.current

        return answer_failure(e, 'Function')
      end
      Native.succeed(@handle, payload, payload.bytesize, binary ? BINARY : 0)
    end

    # A child of the function's has come back from the handler: the answer is its parent's business.
    def leave_forked(error)
      $stderr.puts(error.full_message(highlight: false)) if error
      exit!(error ? 1 : 0)
    end

    def receiver
      @receiver ||= @receiver_name ? Object.const_get(@receiver_name) : TOPLEVEL_BINDING.receiver
    end

    def answer_failure(error, stage)
      document = Errors.document(error, stage)
      what = stage == 'Init' ? "Init error when loading handler #{@handler}" : 'Error raised from handler method'
      log(1, "#{what}\n#{document}\n")
      finish(FUNCTION_ERROR, stage == 'Init' ? DISCARD : 0, document, Errors.type(error, stage))
    end

    def finish(kind, flags, payload, error_type = '')
      Native.finish(@handle, kind, flags, 0, 0, payload, payload.bytesize, error_type, error_type.bytesize)
    end
  end

  # Where a worker finds the function's code, by Ruby's own means.
  module Handler
    API_VERSION = RbConfig::CONFIG['ruby_version']

    module_function

    def find_code(task_root, layers)
      own = [task_root, *(ENV['RUBYLIB'] || '').split(':'), *layers.map { |layer| "#{layer}/ruby/lib" }]
      @own = own.reject(&:empty?).uniq
      $LOAD_PATH.unshift(*(@own - $LOAD_PATH))
      homes = gem_homes(task_root, layers)
      Gem.paths = { 'GEM_PATH' => (homes + Gem.path).join(':') } unless homes.empty?
    end

    # GEM_PATH of the function first, then where `bundle install --path vendor/bundle` and layers put gems.
    def gem_homes(task_root, layers)
      homes = (ENV['GEM_PATH'] || '').split(':')
      homes.concat(versions_of("#{task_root}/vendor/bundle/ruby"))
      layers.each { |layer| homes.concat(versions_of("#{layer}/ruby/gems")) }
      homes.uniq.select { |home| File.directory?("#{home}/specifications") && !Gem.path.include?(home) }
    end

    # Gems of another version of Ruby serve as well, when they are plain Ruby.
    def versions_of(folder)
      others = Dir["#{folder}/*"].select { |path| File.basename(path).match?(/\A\d[\d.]*\z/) }
      ["#{folder}/#{API_VERSION}", *others.sort_by { |path| Gem::Version.new(File.basename(path)) }.reverse]
    end

    # By its path: a feature of that name may be loaded already.
    def load(name)
      folder = name.start_with?('/') ? '' : @own.find { |each| File.file?("#{each}/#{name}.rb") }
      raise LoadError, "cannot load such file -- #{name}" if folder.nil? || !File.file?("#{folder}/#{name}.rb")

      path = File.realpath("#{folder}/#{name}.rb")
      $LOADED_FEATURES.push(path) # or a file that requires it would load it again
      Kernel.load(path)
    end
  end

  # What takes a descriptor gets the one that leads into the function's log.
  class Stream
    def to_io = ORIGINALS[@number]
  end
  Stream::ORIGINALS.each_value { |io| io.sync = true }
end
