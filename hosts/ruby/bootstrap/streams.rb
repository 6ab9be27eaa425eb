# frozen_string_literal: true

module Lambed
  # $stdout and $stderr: what a thread writes goes to the log of the environment it belongs to. An environment that assigns
  # an object of its own to $stdout gets that one, alone.
  class Stream
    ORIGINALS = { 1 => STDOUT, 2 => STDERR }.freeze

    attr_accessor :sync

    def initialize(number)
      @number = number
      @sync = true
    end

    def write(*parts)
      environment = Environment.current
      return ORIGINALS[@number].write(*parts) unless environment

      replacement = environment.streams[@number]
      return replacement.write(*parts) if replacement

      text = parts.size == 1 ? parts[0].to_s : parts.map(&:to_s).join
      environment.log(@number, text)
      text.bytesize
    end

    def print(*parts)
      write(*parts) unless parts.empty?
      nil
    end

    def puts(*lines)
      text = +''
      lines.empty? ? text << "\n" : append_lines(text, lines)
      write(text)
      nil
    end

    def printf(format, *arguments)
      write(format(format, *arguments))
      nil
    end

    def <<(part)
      write(part)
      self
    end

    def p(*values)
      puts(*values.map(&:inspect))
      values.size > 1 ? values : values.first
    end

    def putc(character)
      write(character.is_a?(String) ? character[0] : (character & 0xff).chr)
      character
    end

    def syswrite(text) = write(text)
    def write_nonblock(text, **) = write(text)
    def flush = self
    def fsync = 0
    def fdatasync = 0
    def tty? = false
    alias isatty tty?
    def fileno = @number
    alias to_i fileno
    def close = nil
    def close_write = nil
    def closed? = false
    def binmode = self
    def external_encoding = nil
    def internal_encoding = nil
    def set_encoding(*) = self
    def pid = nil
    def inspect = "#<IO:<#{@number == 1 ? 'STDOUT' : 'STDERR'}>>"

    # A duplicate stands for the same stream, as for a file descriptor.
    def dup = self
    alias clone dup

    # Taken over by the environment, as a redirection of the process's stream would be.
    def reopen(target, mode = 'w')
      Hooks.write(@number - 1, target.is_a?(String) ? File.open(target, mode) : target)
      self
    end

    private

    def append_lines(text, lines)
      lines.each do |line|
        if line.is_a?(Array)
          append_lines(text, line)
        else
          line = line.to_s
          text << line.dup.force_encoding(text.encoding)
          text << "\n" unless line.end_with?("\n")
        end
      end
    end
  end

  # What the variables $stdout, $stderr, $stdin and $LOAD_PATH are for the current thread; natives.cc asks.
  module Hooks
    LOAD_PATH = $LOAD_PATH
    STDIN = File.open(File::NULL)
    STREAMS = [Stream.new(1), Stream.new(2), STDIN].freeze
    NAMES = ['$stdout', '$stderr', '$stdin', '$LOAD_PATH'].freeze

    def self.read(index)
      environment = Environment.current
      return environment ? environment.load_path : LOAD_PATH if index == 3

      (environment && environment.streams[index + 1]) || STREAMS[index]
    end

    def self.write(index, value)
      raise NameError, "#{NAMES[index]} is a read-only variable" if index == 3

      unless index == 2 || value.respond_to?(:write)
        raise TypeError, "#{NAMES[index]} must have write method, #{value.class} given"
      end

      environment = Environment.current
      environment.streams[index + 1] = value.equal?(STREAMS[index]) ? nil : value if environment
    end
  end
end

# First by Ruby's own variables, so that `puts`, `warn` and the report of a dead thread come here too; then the variables
# themselves become per environment.
$stdout = Lambed::Hooks::STREAMS[0]
$stderr = Lambed::Hooks::STREAMS[1]
$stdin = Lambed::Hooks::STDIN # a handler that reads must not take the application's input
%i[STDOUT STDERR STDIN].each_with_index do |name, index|
  Object.send(:remove_const, name)
  Object.const_set(name, Lambed::Hooks::STREAMS[index])
end
