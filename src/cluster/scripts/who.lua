-- Members of a node have come or gone. KEYS: log, state and top of what nodes tell each other, the leases, the node's
-- members, and at how many nodes each of all is. ARGV: the epoch and number of entries that are known, entries to keep, the
-- node, what the others are told (or nothing); then member and what is known of it (nothing: it has gone). For each '1' if
-- it is anywhere only now, '0' if it is nowhere any more.
if redis.call('HEXISTS', KEYS[4], ARGV[4]) == 0 then
  return {'lost'}
end
local p = epoch_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
local reply = {'done'}
for i = 6, #ARGV, 2 do
  local member, known, change = ARGV[i], ARGV[i + 1], ''
  if known ~= '' then
    if redis.call('HSET', KEYS[5], member, known) == 1 and redis.call('HINCRBY', KEYS[6], member, 1) == 1 then
      change = '1'
    end
  elseif redis.call('HDEL', KEYS[5], member) == 1 and redis.call('HINCRBY', KEYS[6], member, -1) <= 0 then
    redis.call('HDEL', KEYS[6], member)
    change = '0'
  end
  table.insert(reply, change)
end
if ARGV[5] ~= '' then
  local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'p', p, 'n', n, 'k', 'who', 'w', ARGV[4], 'j', ARGV[5])
end
return reply
