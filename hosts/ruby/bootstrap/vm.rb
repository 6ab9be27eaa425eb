# frozen_string_literal: true

# The part of the host that is written in Ruby. Lambed::Native is the part that is not (natives.cc).
require 'digest'
require 'json'
require 'logger'
require 'rbconfig'
require 'stringio'

module Lambed
  # Ruby's main thread: starts environments and carries out interrupts until the host is stopped.
  module Vm
    OPEN = 1
    INTERRUPT = 2
    STOP = 3
    PROCESS = $$

    def self.serve
      loop do
        kind, reference, token, means = Native.next_command
        case kind
        when OPEN then Environment.start(reference)
        when INTERRUPT then Environment.interrupt(reference, token, means)
        when STOP then return alone? ? 1 : 0
        end
      rescue Exception => e # rubocop:disable Lint/RescueException
        # A handler's thread can raise here (Thread.main.raise, abort_on_exception); this thread must outlive that.
        Native.notice(0, e.full_message, e.full_message.bytesize)
      end
    end

    STOP_PATIENCE = 0.25 # seconds

    # Ends what functions have left running. Not all of it can be ended: an `ensure` may go on for ever.
    def self.alone?
      others = Thread.list - [Thread.current]
      patience = Process.clock_gettime(Process::CLOCK_MONOTONIC) + STOP_PATIENCE
      while others.any?(&:alive?)
        return false if Process.clock_gettime(Process::CLOCK_MONOTONIC) > patience

        others.each(&:kill)
        sleep 0.002
      end
      true
    end

    PAGE = GC::INTERNAL_CONSTANTS[:HEAP_PAGE_SIZE] ||
           GC::INTERNAL_CONSTANTS[:HEAP_PAGE_OBJ_LIMIT] * GC::INTERNAL_CONSTANTS[:RVALUE_SIZE]

    # Bytes of the object heap and of what was allocated for objects since the last collections: an estimate, for the whole VM.
    def self.report_memory
      Native.report_memory((GC.stat(:heap_allocated_pages) * PAGE) + GC.stat(:malloc_increase_bytes) +
                           GC.stat(:oldmalloc_increase_bytes))
    end
  end
end
