# frozen_string_literal: true

module Lambed
  # What a function's configuration says about its handler.
  module Handler
    module_function

    # -> [file, class or nil, method]
    def parse(handler)
      parts = handler.split('.')
      return [parts[0], nil, parts[1].to_sym] if parts.size == 2
      return [parts[0], parts[1], parts[2].to_sym] if parts.size == 3

      raise ArgumentError,
            "Invalid handler #{handler}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME " \
            'corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and ' \
            'METHOD is a callable method. If using CLASS, METHOD must be a class-level method.'
    end
  end
end
