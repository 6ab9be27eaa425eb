# Stage 3, Ruby: renders the sums as a report for people.
require 'erb'

REPORT = ERB.new(<<~'TEXT', trim_mode: '-')
  <%= sums['function'] %>: <%= sums['requests'] %> requests, <%= sums['failed'] %> failed (<%= share %> %)
  <%= sums['gb_seconds'] %> GB-s, <%= format('%.2f', sums['dollars_per_million']) %> USD per million requests
  <%- sums['histogram'].each do |bar| -%>
  <%= (bar['up_to_ms'] ? "<= #{bar['up_to_ms']} ms" : 'longer').rjust(10) %> <%= '#' * bar['count'] %>
  <%- end -%>
TEXT

def lambda_handler(event:, context:)
  sums = event
  share = (100.0 * sums['failed'] / sums['requests']).round(1)
  { title: "Report on #{sums['function']}", text: REPORT.result(binding) }
end
