# frozen_string_literal: true

module Lambed
  # Sent into a thread to stop it. Not a StandardError, so that an ordinary `rescue` lets it pass.
  class Interruption < Exception; end # rubocop:disable Lint/InheritException

  # Two functions cannot live in one VM; see definitions.rb. The message is for the developer.
  class Clash < Exception; end # rubocop:disable Lint/InheritException

  # Error documents in the shape of Lambda's Ruby runtime:
  #   {"errorMessage": "...", "errorType": "Function<ArgumentError>", "stackTrace": ["/var/task/app.rb:3:in `handler'", ...]}
  module Errors
    STACK_LIMIT = 100
    WRAPPER = /#<Module:0x\h+>::/.freeze
    NAME = Module.instance_method(:name)

    # `stage`: "Function" or "Init".
    def self.type(error, stage) = "#{stage}<#{class_name(error.class)}>"

    # Classes of the handler's file live in an anonymous module, which is nobody's business.
    def self.class_name(klass) = NAME.bind_call(klass)&.gsub(WRAPPER, '') || klass.to_s

    def self.document(error, stage)
      JSON.generate({ errorMessage: message(error), errorType: type(error, stage), stackTrace: stack(error) })
    end

    def self.message(error)
      text(error.message.to_s).gsub(WRAPPER, '')
    rescue StandardError => e
      "the message of #{class_name(error.class)} cannot be read: #{e.class}"
    end

    # The handler's frames. The host's own say nothing to its author.
    def self.stack(error)
      frames = error.backtrace || []
      frames.reject { |frame| frame.start_with?('lambed/') }.first(STACK_LIMIT).map { |frame| text(frame) }
    end

    # JSON takes UTF-8 only.
    def self.text(bytes)
      utf8 = bytes.encoding == Encoding::UTF_8 ? bytes : bytes.encode(Encoding::UTF_8, invalid: :replace, undef: :replace)
      utf8.valid_encoding? ? utf8 : utf8.scrub
    rescue EncodingError
      bytes.dup.force_encoding(Encoding::UTF_8).scrub
    end
  end
end
