# frozen_string_literal: true

# A function that behaves, and misbehaves on request: event['do'] names the deed, tests/soak/deeds.cc what must come of it.

def code = 0 # the soak changes this number with every update of the code

def answer(event)
  { 'id' => event['id'], 'tag' => Integer(ENV.fetch('TAG')), 'code' => code, 'language' => 'ruby' }
end

def big(event) = answer(event).merge('padding' => 'x' * 100_000)

def wait(event)
  sleep(0.005)
  answer(event)
end

def child(event)
  `true`
  answer(event)
end

def chatter(event)
  puts('x' * 200_000)
  warn('y' * 1000)
  answer(event)
end

# ---- Misbehaviour that ends in an error document.

def raise_error(event) = raise(ArgumentError, "raised on purpose #{event['id']}")
def raise_exception(event) = raise(Exception, "raised on purpose #{event['id']}") # rubocop:disable Lint/RaiseException
def throw_symbol(_event) = throw(:nobody_catches_this)
def recurse(event) = recurse(event) + 1
def not_a_number(_event) = Float::NAN
def oversized(_event) = 'x' * 7_000_000
def change_folder(_event) = Dir.chdir('/')
def too_large(_event) = ('x' * (1 << 62)).size

# ---- Misbehaviour that ends the environment.

def exit_by_exception(_event) = exit(3)
def exit_at_once(_event) = exit!(4)
def abort_with_words(_event) = abort('on purpose')
def kill_self(_event) = Process.kill(:KILL, Process.pid)

# ---- Misbehaviour beside an answer.

def thread_raises(event)
  thread = Thread.new { raise 'in a thread, on purpose' }
  thread.report_on_exception = false
  sleep(0.001) while thread.alive?
  answer(event)
end

def thread_stays(event)
  Thread.new { sleep(0.05) }
  answer(event)
end

# ---- Misbehaviour that a process of its own contains, and nothing less.

def change_folder_there(event)
  Dir.chdir('/')
  answer(event)
end

def memory(_event) = ('x' * (1 << 30)).size
def exit_zero(_event) = exit!(0)

# Ruby reports it and aborts.
def segfault(_event)
  Process.kill(:SEGV, Process.pid)
  sleep(50)
end

def fork_child(event)
  child = fork { exit!(9) }
  raise 'the child ended otherwise' unless Process.wait2(child)[1].exitstatus == 9

  answer(event)
end

def leaves_children(_event)
  20.times do
    fork do
      Process.setsid
      sleep(1000)
    end
  end
  exit!(5)
end

def files_without_end(_event)
  files = []
  loop { files << File.open(File::NULL) }
ensure
  files.each(&:close)
end

def kill_group(_event)
  Process.kill(:KILL, 0)
  sleep(50)
end

def writes_everywhere(_event)
  1024.times do |descriptor|
    IO.for_fd(descriptor, 'w', autoclose: false).syswrite('x' * 5000)
  rescue SystemCallError, ArgumentError
    next
  end
  exit!(7)
end

# ---- Misbehaviour that only the limit ends.

def spin(_event) = loop {}

def swallow(_event)
  loop {}
rescue Exception # rubocop:disable Lint/RescueException
  retry
end

def sleep_long(_event) = sleep(30)
def wait_for_queue(_event) = Queue.new.pop
def wait_for_child(_event) = system('sleep 1.5')
def regex(_event) = /\A(a+)+\z/.match?("#{'a' * 40}b")

def handler(event:, context:)
  send(event['do'], event)
end
