# S3 put -> what was uploaded, by folder and kind, with sizes a person can read.
require 'cgi'
require 'time'

module Uploads
  KINDS = { '.jpg' => 'image', '.png' => 'image', '.csv' => 'table', '.pdf' => 'document' }.freeze
  UNITS = %w[B kB MB GB TB].freeze

  def self.handler(event:, context:)
    objects = event['Records'].map { |record| describe(record) }.reject { |object| object[:folder_marker] }
    puts "#{objects.size} of #{event['Records'].size} records are files"
    {
      folders: objects.group_by { |object| object[:folder] }.transform_values do |files|
        files.map { |file| file.slice(:name, :kind, :size, :age_ms) }
      end,
      total: readable(objects.sum { |object| object[:bytes] })
    }
  end

  def self.describe(record)
    object = record.dig('s3', 'object')
    key = CGI.unescape(object['key'])
    {
      folder: File.dirname(key), name: File.basename(key), kind: KINDS.fetch(File.extname(key).downcase, 'other'),
      bytes: object['size'], size: readable(object['size']),
      age_ms: ((Time.iso8601(record['eventTime']) - Time.iso8601('2025-11-24T10:00:00Z')) * 1000).round,
      folder_marker: key.end_with?('/') && object['size'].zero?
    }
  end

  def self.readable(bytes)
    power = bytes.zero? ? 0 : [Math.log(bytes, 1000).floor, UNITS.size - 1].min
    format(power.zero? ? '%d %s' : '%.1f %s', bytes.fdiv(1000**power), UNITS[power])
  end
end
