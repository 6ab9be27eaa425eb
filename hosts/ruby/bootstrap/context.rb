# frozen_string_literal: true

module Lambed
  # What a handler receives as `context:`.
  class Context
    attr_reader :aws_request_id, :deadline_ms, :tenant_id

    def initialize(environment, request)
      @environment = environment
      @aws_request_id, @arn, @version, @deadline_ms, _trace, @client_context, @identity, @tenant_id, @deadline = request
    end

    # Copies, because the environment keeps both for its next invocation.
    def invoked_function_arn = @invoked_function_arn ||= @arn.dup
    def function_version = @function_version ||= @version.dup
    def function_name = @environment.function_name
    def memory_limit_in_mb = @environment.memory_limit_in_mb
    def log_group_name = @environment.log_group
    def log_stream_name = @environment.log_stream

    # Hashes, or nil when the invocation has none.
    def client_context = @client_context.is_a?(String) ? @client_context = JSON.parse(@client_context) : @client_context
    def identity = @identity.is_a?(String) ? @identity = JSON.parse(@identity) : @identity

    def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName
      # Rounded once: with times in milliseconds, one may come from nowhere.
      left = (@deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)) / 1_000_000
      left.positive? ? left : 0
    end

    def inspect = "#<LambdaContext aws_request_id=#{@aws_request_id.inspect}>"
  end
end
