# frozen_string_literal: true

module Lambed
  # A Logger that writes to $stdout or $stderr gets Lambda's format: the request id stands before the program's name.
  class LogFormatter < Logger::Formatter
    FORMAT = "%<sev>s, [%<time>s #%<process>d] %<severity>5s %<request_id>s -- %<program>s: %<message>s\n"

    def call(severity, time, program, message)
      environment = Environment.current
      format(FORMAT, sev: severity[0], time: format_datetime(time), process: $$, severity: severity,
                     request_id: environment && environment.request_id, program: program, message: msg2str(message))
    end
  end

  module LambdaLogger
    def initialize(device, *arguments, formatter: nil, **options)
      to_function_log = device.is_a?(Stream)
      super
      return unless to_function_log

      @default_formatter = LogFormatter.new
      @default_formatter.datetime_format = options[:datetime_format]
    end
  end
end

Logger.prepend(Lambed::LambdaLogger)
