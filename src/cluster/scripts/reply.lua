-- What a node says to a call. KEYS: where the caller listens. ARGV: how many answers are kept there, and for how many
-- seconds; then the entry's fields.
local entry = {}
for i = 3, #ARGV do
  table.insert(entry, ARGV[i])
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(entry))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {'done'}
