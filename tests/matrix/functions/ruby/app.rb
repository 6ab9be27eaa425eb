# frozen_string_literal: true

# What the matrix asks of a Ruby function: event['do'] names the deed.
module Deeds
  module_function

  def version(_event) = RUBY_VERSION

  def echo(event) = event['value']

  def fail(_event) = raise(ArgumentError, 'out of tea')

  def announce
    $stdout.puts('running')
    $stdout.flush
  end

  def busy_loop(_event)
    announce
    loop {}
  end

  def swallow_loop(_event)
    announce
    begin
      loop {}
    rescue Exception # rubocop:disable Lint/RescueException
      retry
    end
  end

  def meet(event)
    folder = event['folder']
    File.write(File.join(folder, event['number'].to_s), '')
    sleep(0.005) while Dir.children(folder).size < event['guests']
    event['number']
  end

  def child_environment(_event) = `env`

  def wait(_event)
    announce
    loop { sleep(0.05) }
  end

  def fill(event)
    kept = Array.new(event['megabytes']) { 'x' * (1 << 20) }
    kept.size
  end

  def change_folder(_event)
    Dir.chdir('/usr')
    Dir.pwd
  end

  def leave(_event) = exit!(3)
end

def handler(event:, context:) = Deeds.public_send(event['do'], event)
