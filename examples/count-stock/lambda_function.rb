# SQS batch -> stock per place; messages that cannot be counted go back to the queue (partial batch response).
require 'digest'
require 'json'
require 'logger'

Movement = Struct.new(:place, :sku, :change) do
  def self.parse(record)
    body = record['body']
    raise ArgumentError, 'the body was damaged on its way' unless Digest::MD5.hexdigest(body) == record['md5OfBody']

    fields = JSON.parse(body)
    sign = { 'in' => 1, 'out' => -1 }.fetch(fields['movement'])
    new(fields.fetch('at'), fields.fetch('sku'), sign * Integer(fields.fetch('quantity')))
  end
end

class Stock
  def initialize
    @quantities = Hash.new(0)
  end

  def book(movement)
    key = [movement.place, movement.sku]
    left = @quantities[key] + movement.change
    raise RangeError, "only #{@quantities[key]} of #{movement.sku} left in #{movement.place}" if left.negative?

    @quantities[key] = left
  end

  def to_s
    @quantities.sort.map { |(place, sku), quantity| "#{place} #{sku}: #{quantity}" }.join(', ')
  end
end

def lambda_handler(event:, context:)
  logger = Logger.new($stdout)
  stock = Stock.new
  failed = event['Records'].reject do |record|
    stock.book(Movement.parse(record))
  rescue JSON::ParserError, ArgumentError, IndexError, RangeError => e
    logger.warn("#{record['messageId']}: #{e.class}")
    false
  end
  logger.info(stock.to_s)
  { batchItemFailures: failed.map { |record| { itemIdentifier: record['messageId'] } } }
end
