# frozen_string_literal: true

# What the tests of tests/together ask of a Ruby function: event['do'] names the deed.
require 'base64'
require 'openssl'
require 'stringio'
require 'zlib'

def echo(event) = event['value']

def run(event)
  out = `#{event['command']}`
  { 'out' => out, 'code' => $?.exitstatus }
end

def popen(event)
  out = IO.popen(['/bin/sh', '-c', event['command']], 'r+') do |child|
    child.write(event['input'].to_s)
    child.close_write
    child.read
  end
  { 'out' => out, 'code' => $?.exitstatus }
end

def digest(event)
  text = event['text']
  {
    'sha256' => OpenSSL::Digest::SHA256.hexdigest(text),
    'sha512' => OpenSSL::Digest::SHA512.hexdigest(text),
    'md5' => OpenSSL::Digest::MD5.hexdigest(text),
    'hmac' => OpenSSL::HMAC.hexdigest('SHA256', 'key', text),
    'pbkdf2' => OpenSSL::KDF.pbkdf2_hmac(text, salt: 'salt', iterations: 1000, length: 32, hash: 'sha256').unpack1('H*')
  }
end

def tls(_event)
  context = OpenSSL::SSL::SSLContext.new
  context.set_params(ciphers: 'ECDHE+AESGCM')
  { 'library' => OpenSSL::OPENSSL_LIBRARY_VERSION, 'ciphers' => context.ciphers.size }
end

def cipher_of(mode)
  cipher = OpenSSL::Cipher.new('aes-256-cbc').public_send(mode)
  cipher.key = 7.chr * 32
  cipher.iv = 9.chr * 16
  cipher
end

def encrypt(event)
  cipher = cipher_of(:encrypt)
  Base64.strict_encode64(cipher.update(event['text']) + cipher.final)
end

def decrypt(event)
  cipher = cipher_of(:decrypt)
  (cipher.update(Base64.decode64(event['data'])) + cipher.final).force_encoding('UTF-8')
end

def compress(event)
  Base64.strict_encode64(Zlib.gzip(event['text']))
end

def expand(event)
  Zlib.gunzip(Base64.decode64(event['data'])).force_encoding('UTF-8')
end

def deflate(event)
  Base64.strict_encode64(Zlib::Deflate.deflate(event['text'], 9))
end

def inflate(event)
  Zlib::Inflate.inflate(Base64.decode64(event['data'])).force_encoding('UTF-8')
end

def closed_pipe(_event)
  reader, writer = IO.pipe
  reader.close
  writer.syswrite('nobody reads this')
  'written'
rescue Errno::EPIPE
  'EPIPE'
ensure
  writer.close
end

def sleep_for(event)
  sleep(event['seconds'])
  event['value']
end

def step(event)
  { 'steps' => event['steps'] + ['ruby'], 'sum' => event['sum'] + 100 }
end

def announce
  $stdout.puts('running')
  $stdout.flush
end

def spin(_event)
  announce
  loop {}
end

def swallow(_event)
  announce
  begin
    begin
      loop {}
    rescue Exception # rubocop:disable Lint/RescueException
      retry
    end
  ensure
    # Neither an exception nor Thread#kill gets out of this.
    while true do end
  end
end

def wait(event)
  announce
  sleep(event['seconds'])
end

def native(_event)
  # Holds the VM's lock and looks at nothing before it has finished.
  announce
  (3**20_000_000).to_s.size
end

def handler(event:, context:)
  deed = { 'sleep' => 'sleep_for' }.fetch(event['do'], event['do'])
  send(deed, event)
end
