-- Counts off members of a node that is gone. KEYS: its members, at how many nodes each of all is, and the nodes of which
-- some are still to be counted off. ARGV: the node, and how many at once. '1' if that was all; then those that are nowhere
-- any more.
local members = redis.call('HRANDFIELD', KEYS[1], ARGV[2])
local gone = {'0'}
for _, member in ipairs(members) do
  redis.call('HDEL', KEYS[1], member)
  if redis.call('HINCRBY', KEYS[2], member, -1) <= 0 then
    redis.call('HDEL', KEYS[2], member)
    table.insert(gone, member)
  end
end
if #members == 0 then
  redis.call('SREM', KEYS[3], ARGV[1])
  gone[1] = '1'
end
return gone
