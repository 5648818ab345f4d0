-- KEYS: log, state and top of each publication's partition; then the idempotency key's, if there is one.
-- ARGV: entries to keep, milliseconds of a key, its fingerprint, if_offset (or nothing), the node, the first ticket, how
-- many publications; for each of them channel, payload, flags, sender, and the epoch and number of entries that are known.
local count = tonumber(ARGV[7])
local key = KEYS[3 * count + 1]
if key then
  local kept = redis.call('GET', key)
  if kept then
    local fingerprint, places = string.match(kept, '^(%S+) (.*)$')
    if fingerprint ~= ARGV[3] then
      return {'reused'}
    end
    return {'again', places}
  end
end
local epochs = {}
for i = 1, count do
  local log, state, top, at = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i], 7 + 6 * (i - 1)
  if not epochs[state] then
    epochs[state] = epoch_of(log, state, top, ARGV[at + 5], ARGV[at + 6])
  end
end
if ARGV[4] ~= '' then
  for i = 1, count do
    local channel = ARGV[7 + 6 * (i - 1) + 1]
    local offset, e = stand(KEYS[3 * i - 1], KEYS[3 * i], channel, epochs[KEYS[3 * i - 1]])
    if offset ~= tonumber(ARGV[4]) then
      return {'differs', channel, e, text(offset)}
    end
  end
end
local reply, places, day = {'placed'}, {ARGV[5], ARGV[6]}, text(today())
for i = 1, count do
  local log, state, top, at = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i], 7 + 6 * (i - 1)
  local channel, p = ARGV[at + 1], epochs[state]
  local offset, e = stand(state, top, channel, p)
  offset = text(offset + 1)
  redis.call('HSET', top, channel, offset .. ' ' .. (e == p and '' or e) .. ' ' .. day)
  local n = redis.call('HINCRBY', state, 'n', 1)
  local entry = {'p', p, 'n', n, 'c', channel, 'o', offset, 'd', ARGV[at + 2],
    's', ARGV[5] .. ' ' .. text(tonumber(ARGV[6]) + i - 1) .. ' ' .. ARGV[at + 4]}
  if ARGV[at + 3] ~= '' then
    table.insert(entry, 'f')
    table.insert(entry, ARGV[at + 3])
  end
  if e ~= p then
    table.insert(entry, 'e')
    table.insert(entry, e)
  end
  redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', unpack(entry))
  for _, value in ipairs({e, offset, p, text(n)}) do
    table.insert(reply, value)
  end
  table.insert(places, e)
  table.insert(places, offset)
end
if key then
  redis.call('SET', key, ARGV[3] .. ' ' .. table.concat(places, ' '), 'PX', ARGV[2])
end
return reply
