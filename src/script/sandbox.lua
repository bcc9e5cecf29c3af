-- Turns a fresh interpreter into what scripts find. Called once, before any script, with the table of native functions
-- and the libraries; returns what vm.rs needs to run scripts.
--
-- A locked table is an empty proxy: reading falls through to the real table, writing is an error, and its metatable cannot
-- be had or replaced. What would reach around the proxy (rawset, table.insert, next, ...) is replaced by a version that
-- knows about proxies. The proxies are never written to, so what stands in a real table is what was put there here.

local native, libraries = ...

local error, type, select, pairs, next, ipairs = error, type, select, pairs, next, ipairs
local rawget, rawset, setmetatable, getmetatable, pcall, xpcall = rawget, rawset, setmetatable, getmetatable, pcall, xpcall
local loadstring, tostring, concat, byte = loadstring, tostring, table.concat, string.byte

local READONLY = "Attempt to modify a readonly table"

-- From a proxy to the table behind it.
local behind = setmetatable({}, { __mode = "k" })

local function refuse()
  error(READONLY, 2)
end

local function lock_as(proxy, real, locked_metatable)
  behind[proxy] = real
  return setmetatable(proxy, { __index = real, __newindex = refuse, __metatable = locked_metatable or proxy })
end

-- What getmetatable gives for anything locked.
local METATABLE = lock_as({}, {})

local function lock(real)
  return lock_as({}, real, METATABLE)
end

-- ---- the functions that could reach around a proxy ----------------------------------------------------------------

local offered = {}

function offered.next(t, key)
  return next(behind[t] or t, key)
end

function offered.pairs(t)
  return pairs(behind[t] or t)
end

function offered.ipairs(t)
  return ipairs(behind[t] or t)
end

function offered.rawget(t, key)
  return rawget(behind[t] or t, key)
end

function offered.rawset(t, key, value)
  if behind[t] then
    error(READONLY, 2)
  end
  return rawset(t, key, value)
end

function offered.setmetatable(t, metatable)
  if behind[t] then
    error(READONLY, 2)
  end
  return setmetatable(t, metatable)
end

-- Errors of native functions are objects; scripts expect text. Once a script was killed nothing it does keeps it alive.
local function plain(ok, ...)
  if ok then
    return ok, ...
  end
  if native.is_killed() then
    error(..., 0)
  end
  local problem = ...
  if type(problem) == "userdata" then
    return false, native.error_text(problem)
  end
  return ok, ...
end

function offered.pcall(...)
  return plain(pcall(...))
end

function offered.xpcall(f, handler)
  return plain(xpcall(f, function(problem)
    if type(problem) == "userdata" then
      problem = native.error_text(problem)
    end
    return handler(problem)
  end))
end

-- Compiled code could crash the interpreter, so only text is read.
function offered.loadstring(text, name)
  if type(text) == "string" and byte(text, 1) == 27 then
    return nil, "attempt to load a precompiled chunk"
  end
  return loadstring(text, name)
end

function offered.load(reader, name)
  local parts = {}
  while true do
    local part = reader()
    if part == nil or part == "" then
      break
    end
    if type(part) ~= "string" then
      return nil, "reader function must return a string"
    end
    parts[#parts + 1] = part
  end
  return offered.loadstring(concat(parts), name or "=(load)")
end

-- A userdata's metatable is given through a table in front of it that keeps finalisers out: nothing could stop one that does not end.
local newproxy = newproxy
function offered.newproxy(like)
  local new = newproxy(like)
  if like == true then
    local metatable = getmetatable(new)
    metatable.__metatable = setmetatable({}, { __index = metatable, __newindex = function(_, key, value)
      if key ~= "__gc" then
        metatable[key] = value
      end
    end, __metatable = false })
  end
  return new
end

for _, name in ipairs({
  "tostring", "getfenv", "setfenv", "assert", "tonumber", "rawequal", "collectgarbage", "getmetatable", "type", "select", "unpack",
  "gcinfo", "_VERSION", "error",
}) do
  offered[name] = _G[name]
end

local function copy(t)
  local result = {}
  for key, value in pairs(t) do
    result[key] = value
  end
  return result
end

offered.string = copy(string)
offered.math = copy(math)
offered.math.random = native.random
offered.math.randomseed = native.randomseed
offered.coroutine = copy(coroutine)
local resume = coroutine.resume
offered.coroutine.resume = function(...)
  return plain(resume(...))
end

offered.table = copy(table)
for _, name in ipairs({ "insert", "remove", "sort", "setn" }) do
  local original = table[name]
  offered.table[name] = original and function(t, ...)
    if behind[t] then
      error(READONLY, 2)
    end
    return original(t, ...)
  end
end
for _, name in ipairs({ "concat", "foreach", "foreachi", "getn", "maxn" }) do
  local original = table[name]
  offered.table[name] = original and function(t, ...)
    return original(behind[t] or t, ...)
  end
end

-- ---- redis --------------------------------------------------------------------------------------------------------------

local redis = copy(native.redis)
redis.call, redis.pcall, redis.debug = native.call, native.pcall, native.debug

-- Functions of the table `redis` report a misuse as Redis does: a table with the text.
for name, checked in pairs(native.checked) do
  redis[name] = function(...)
    local ok, value = checked(...)
    if not ok then
      error({ err = value }, 0)
    end
    return value
  end
end

-- These give their error instead of raising it.
for name, lenient in pairs(native.lenient) do
  redis[name] = function(...)
    local _, value = lenient(...)
    return value
  end
end

offered.redis = redis
for name, library in pairs(libraries) do
  offered[name] = library
end

-- ---- locking ------------------------------------------------------------------------------------------------------------

local globals = _G
for name, value in pairs(offered) do
  if type(value) == "table" then
    offered[name] = lock(value)
  end
end
offered._G = globals

-- The metatable of strings is shared by all scripts.
local of_strings = getmetatable("")
of_strings.__index = copy(behind[offered.string])
of_strings.__metatable = METATABLE

setmetatable(offered, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})

-- The interpreter's own table of globals becomes the proxy: it is what getfenv gives for native functions.
for name in pairs(copy(globals)) do
  rawset(globals, name, nil)
end
lock_as(globals, offered, METATABLE)

-- ---- libraries of functions ---------------------------------------------------------------------------------------------

-- What a library finds while it is loaded: little more than the way to register functions. Its functions share this table of
-- globals, and find what scripts find.
local loading = { redis = { register_function = function(...)
  local ok, problem = native.register_function(...)
  if not ok then
    error({ err = problem }, 0)
  end
end, log = redis.log } }
for name, value in pairs(redis) do
  if type(value) ~= "function" then
    loading.redis[name] = value
  end
end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

setmetatable(loading, { __index = missing })
setmetatable(loading.redis, { __index = missing })
loading.redis = lock(loading.redis)

local of_library = { __index = offered, __newindex = refuse, __metatable = METATABLE }
local library_globals = setmetatable({}, of_library)
behind[library_globals] = offered

local function set_loading(is_loading)
  of_library.__index = is_loading and loading or offered
end

return offered, library_globals, set_loading
