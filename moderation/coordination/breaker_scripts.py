"""The Lua of a breaker: the rule of `breaker_rule.ProcessBreaker`, for all processes together."""

from moderation.coordination.script import Script

# A breaker is one hash: state, since, reason, opened (times), wait and retry_at while open, good
# (probes) and probe:<token> (when it makes room) while half open, window (its seconds) and
# slice:<0-9> ("number calls failures slow"), held and by. Absent fields are those of a closed one.
_READ = """
-- As many as `SLICES` of the rule within a process.
local SLICES = 10

local function read(key)
  local kept, flat = {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end
  kept.state = kept.state or 'closed'
  return kept
end

local function newest(kept) return math.floor(now / (tonumber(kept.window) / SLICES)) end

local function count(kept)
  local calls, failures, slow = 0, 0, 0
  if not kept.window then return calls, failures, slow end
  local oldest = newest(kept) - SLICES
  for slice = 0, SLICES - 1 do
    local number, c, f, s = string.match(kept['slice:' .. slice] or '', '(%d+) (%d+) (%d+) (%d+)')
    if number and tonumber(number) > oldest then
      calls, failures, slow = calls + c, failures + f, slow + s
    end
  end
  return calls, failures, slow
end

local function status(kept)
  local waiting = kept.state == 'open' and not kept.held
  local over = waiting and tonumber(kept.retry_at) <= now
  local calls, failures, slow = count(kept)
  return {
    over and 'half_open' or kept.state, kept.since or '', kept.reason or '', calls, failures, slow,
    tonumber(kept.opened or 0), waiting and kept.retry_at or '', kept.held or '', kept.by or ''
  }
end
"""

# KEYS[1] the breaker; ARGV: rules as JSON, what part of a wait is waited, then each script's own.
_CHANGE = (
    _READ
    + """
local rules, part = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local kept = read(KEYS[1])

local function put(field, value)
  kept[field] = value
  redis.call('HSET', KEYS[1], field, value)
end

local function drop(field)
  if not kept[field] then return end
  kept[field] = nil
  redis.call('HDEL', KEYS[1], field)
end

local function drop_all(kind)
  for field in pairs(kept) do
    if string.sub(field, 1, #kind) == kind then drop(field) end
  end
end

local function turn(state, reason)
  put('state', state)
  put('since', stamp(now))
  put('reason', reason)
  drop_all('probe:')
  drop('good')
end

local function open(reason, wait)
  if kept.state == 'closed' then put('opened', tonumber(kept.opened or 0) + 1) end
  turn('open', reason)
  put('wait', wait)
  put('retry_at', stamp(now + wait * part))
end

local function close()
  turn('closed', '')
  drop_all('slice:')
  drop('wait')
  drop('retry_at')
end

-- What nobody asks for a month is forgotten; what a person holds is not.
local function keep(answer)
  if kept.held then redis.call('PERSIST', KEYS[1]) else redis.call('EXPIRE', KEYS[1], 2592000) end
  return answer
end
"""
)

# ARGV[3] token for a probe. Returns {allowed, wait, state, held, whether the wait was over}.
ADMIT = Script(
    """
local first = redis.call('HMGET', KEYS[1], 'state', 'held')
if (first[1] or 'closed') == 'closed' then return {1, '0', 'closed', first[2] or '', 0} end
"""
    + _CHANGE
    + """
if kept.held then return {0, tostring(rules.max_open_seconds), kept.state, kept.held, 0} end
local changed = 0
if kept.state == 'open' then
  local left = tonumber(kept.retry_at) - now
  if left > 0 then return {0, stamp(left), 'open', '', 0} end
  turn('half_open', kept.reason)
  changed = 1
end
local busy, room_in = 0, rules.open_seconds
for field, ends in pairs(kept) do
  if string.sub(field, 1, 6) == 'probe:' then
    if tonumber(ends) <= now then
      drop(field)
    else
      busy, room_in = busy + 1, math.min(room_in, ends - now)
    end
  end
end
if busy >= rules.probes then return keep({0, stamp(room_in), 'half_open', '', changed}) end
put('probe:' .. ARGV[3], stamp(now + rules.probe_seconds))
return keep({1, '0', 'half_open', '', changed})
"""
)

# ARGV[3] 1 when the call went well, [4] its seconds, [5] its probe's token or nothing.
# Returns a status when it changed.
REPORT = Script(
    _CHANGE
    + """
local failed, seconds, probe = ARGV[3] ~= '1', tonumber(ARGV[4]), 'probe:' .. ARGV[5]
local slow = rules.slow_seconds and seconds >= rules.slow_seconds or false

if ARGV[5] ~= '' then
  if not kept[probe] then return false end
  drop(probe)
  if failed or slow then
    local wait = kept.wait and kept.wait * 2 or rules.open_seconds
    open(failed and 'errors' or 'slow', math.min(rules.max_open_seconds, wait))
    return keep(status(kept))
  end
  put('good', tonumber(kept.good or 0) + 1)
  if kept.good < rules.successes_to_close then return keep(false) end
  close()
  return keep(status(kept))
end

-- A call from before the last change says nothing of how things are now.
local stale = kept.since and now - seconds < tonumber(kept.since)
if kept.state ~= 'closed' or stale then return false end
if tonumber(kept.window or 0) ~= rules.window_seconds then
  drop_all('slice:')
  put('window', rules.window_seconds)
end
local number = newest(kept)
local slice = 'slice:' .. number % SLICES
local at, c, f, s = string.match(kept[slice] or '', '(%d+) (%d+) (%d+) (%d+)')
if tonumber(at) ~= number then c, f, s = 0, 0, 0 end
if failed then f = f + 1 end
if slow then s = s + 1 end
put(slice, string.format('%d %d %d %d', number, c + 1, f, s))

local calls, failures, slowed = count(kept)
if kept.held or calls < rules.min_calls then return keep(false) end
if failures >= calls * rules.error_share then
  open('errors', rules.open_seconds)
elseif rules.slow_seconds and slowed >= calls * rules.slow_share then
  open('slow', rules.open_seconds)
else
  return keep(false)
end
return keep(status(kept))
"""
)

GIVE_BACK = Script("return redis.call('HDEL', KEYS[1], 'probe:' .. ARGV[1])")

# ARGV[3] reason, [4] for how many seconds. Returns a status when it changed.
SHUT = Script(
    _CHANGE
    + """
if kept.held then return false end
if kept.state ~= 'open' then
  open(ARGV[3], tonumber(ARGV[4]))
  return keep(status(kept))
end
local known = kept.reason == ARGV[3]
put('reason', ARGV[3])
put('retry_at', stamp(math.max(tonumber(kept.retry_at), now + ARGV[4] * part)))
return keep(not known and status(kept))
"""
)

# ARGV[3] open or closed, [4] by whom. Returns the status.
HOLD = Script(
    _CHANGE
    + """
close()
turn(ARGV[3], 'held')
put('held', ARGV[3])
put('by', ARGV[4])
return keep(status(kept))
"""
)

# Returns the status.
RELEASE = Script(
    _CHANGE
    + """
if kept.state == 'open' then
  turn('half_open', kept.reason)
elseif kept.held then
  close()
end
drop('held')
drop('by')
return keep(status(kept))
"""
)

# KEYS the breakers. Returns a status each.
STATES = Script(
    _READ
    + """
local found = {}
for i, key in ipairs(KEYS) do found[i] = status(read(key)) end
return found
"""
)
