--- The `kinglet lsp` processes of this editor: one for each root folder, started when the first
--- buffer of the folder is opened, started again when it dies.
local compat = require('kinglet.compat')
local config = require('kinglet.config')
local log = require('kinglet.log')
local program = require('kinglet.program')

local M = {}

---@class kinglet.Server
---@field root string? folder; nil for files outside of any root
---@field state 'starting'|'ready'|'waiting'|'failed'|'stopped'
---@field client_id integer?
---@field buffers table<integer, true> attached once the client runs
---@field n_failures integer in a row
---@field work table<string|integer, kinglet.Work> in progress by the server's report, by token

---@class kinglet.Work
---@field title string
---@field percentage number?

local kNoRoot = ''
---@type table<string, kinglet.Server>
local servers = {}
local told_missing = false

--- Receivers of `$/progress`, by token.
---@type table<string, fun(value: any)>
local streams = {}
local n_tokens = 0

--- Called when a server has got to know a buffer.
---@type fun(bufnr: integer)
local on_ready = function() end

---@param callback fun(bufnr: integer)
function M.when_ready(callback)
  on_ready = callback
end

local function changed()
  compat.fire('KingletStatus')
end

--- Makes a token for partial results; `receive` gets each value until the token is released.
---@param receive fun(value: any)
---@return string
function M.open_stream(receive)
  n_tokens = n_tokens + 1
  local token = 'kinglet-' .. n_tokens
  streams[token] = receive
  return token
end

---@param token string
function M.close_stream(token)
  streams[token] = nil
end

--- Neovim's own handler, for what is not ours; 0.7's fails on a report that nobody began.
local function pass_on(...)
  local handler = vim.lsp.handlers['$/progress']
  if handler then
    pcall(handler, ...)
  end
end

local function note_work(server, token, value)
  if type(value) ~= 'table' or token == nil then
    return
  end
  if value.kind == 'end' then
    server.work[token] = nil
  elseif value.kind == 'begin' or value.kind == 'report' then
    local known = server.work[token] or { title = '' }
    server.work[token] = {
      title = type(value.title) == 'string' and value.title or known.title,
      percentage = tonumber(value.percentage) or known.percentage,
    }
  end
  changed()
end

--- Neovim's own capabilities and ours. The position encodings stay Neovim's: up to 0.10 it warns
--- when two servers of one buffer differ.
local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.textDocument.inlineCompletion = { dynamicRegistration = false }
  all.experimental = vim.tbl_deep_extend(
    'force',
    type(all.experimental) == 'table' and all.experimental or {},
    { kinglet = { inlineStream = true } }
  )
  return all
end

local start -- below; the exit handler starts again

local function schedule_restart(server, code)
  server.n_failures = server.n_failures + 1
  local delay = config.options.restart_delays_ms[server.n_failures]
  if not delay then
    server.state = 'failed'
    log.tell(vim.log.levels.ERROR, 'the server keeps stopping; try :Kinglet log, :Kinglet restart')
    return
  end
  server.state = 'waiting'
  if server.n_failures == 1 then
    local message = 'the server stopped (code %d), starting it again; see :Kinglet log'
    log.tell(vim.log.levels.WARN, message:format(code))
  end
  log.add('starting again in %d ms', delay)
  vim.defer_fn(function()
    if server.state == 'waiting' then
      start(server)
    end
  end, delay)
end

local function on_exit(server, generation, code, signal)
  if server.generation ~= generation then
    return -- an older process, replaced on purpose
  end
  log.add('the server of %s ended: code %d, signal %d', server.root or 'single files', code, signal)
  server.client_id, server.work = nil, {}
  if server.state ~= 'stopped' then
    schedule_restart(server, signal ~= 0 and 128 + signal or code)
  end
  changed()
end

local function on_init(server, client, result)
  -- 0.7 does not look at the encoding that the server chose.
  local encoding = result.capabilities.positionEncoding
  if type(encoding) == 'string' then
    client.offset_encoding = encoding
  end
  server.state = 'ready'
  local info = type(result.serverInfo) == 'table' and result.serverInfo or {}
  log.add('ready: %s %s', info.name or 'a server without a name', info.version or '')
  changed()
end

function start(server)
  local found = program.find()
  if not found.path then
    server.state = 'failed'
    log.add('%s', found.origin)
    if not told_missing then
      told_missing = true
      log.tell(vim.log.levels.WARN, 'the program is not found; see :checkhealth kinglet')
    end
    return
  end
  server.state = 'starting'
  server.generation = (server.generation or 0) + 1
  local generation = server.generation
  local command = { found.path, 'lsp' }
  vim.list_extend(command, config.options.args)
  log.add('starting %s for %s', table.concat(command, ' '), server.root or 'single files')

  -- Which other servers there are, only the editor knows: the daemon offers its navigation for
  -- every language, and compat.give_way() hides it where another server has it.
  local settings = vim.tbl_extend('keep', config.options.settings, {
    navigation = config.options.navigation == 'off' and 'off' or 'on',
  })
  local id, problem = compat.start_client({
    name = 'kinglet',
    cmd = command,
    root_dir = server.root,
    capabilities = capabilities(),
    init_options = settings,
    settings = { kinglet = settings },
    handlers = {
      ['$/progress'] = function(err, params, ...)
        local receive = type(params) == 'table' and streams[params.token]
        if receive then
          receive(params.value)
        elseif type(params) == 'table' then
          note_work(server, params.token, params.value)
          pass_on(err, params, ...)
        end
      end,
    },
    on_init = function(client, result)
      on_init(server, client, result)
      if config.options.navigation == 'auto' then
        compat.give_way(client)
      end
    end,
    on_attach = function(client, bufnr)
      compat.keep_builtin_out(client.id)
      -- Neovim calls this in the middle of attaching.
      vim.schedule(function()
        on_ready(bufnr)
      end)
    end,
  }, function(code, signal)
    vim.schedule(function()
      on_exit(server, generation, code, signal)
    end)
  end)
  if not id then
    log.add('cannot start: %s', problem or 'no reason given')
    schedule_restart(server, 1)
    return
  end
  server.client_id = id
  for bufnr in pairs(server.buffers) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      compat.attach(bufnr, id)
    else
      server.buffers[bufnr] = nil
    end
  end
end

--- Sees to it that the root's server runs and knows the buffer.
---@param bufnr integer
---@param root string?
function M.attach(bufnr, root)
  local key = root or kNoRoot
  local server = servers[key]
  if not server then
    server = { root = root, state = 'stopped', buffers = {}, n_failures = 0, work = {} }
    servers[key] = server
  end
  if server.buffers[bufnr] then
    return
  end
  server.buffers[bufnr] = true
  if server.client_id then
    compat.attach(bufnr, server.client_id)
  elseif server.state == 'stopped' then
    start(server)
  end
  changed()
end

---@param bufnr integer
function M.forget(bufnr)
  for _, server in pairs(servers) do
    server.buffers[bufnr] = nil
  end
end

---@param bufnr integer
---@return kinglet.Server?
function M.of_buffer(bufnr)
  for _, server in pairs(servers) do
    if server.buffers[bufnr] then
      return server
    end
  end
end

---@param bufnr integer
---@return table? client one that can be asked now
function M.client_of_buffer(bufnr)
  local server = M.of_buffer(bufnr)
  if not server or server.state ~= 'ready' then
    return nil
  end
  return vim.lsp.get_client_by_id(server.client_id)
end

---@class kinglet.Call
---@field cancel fun()

--- Sends a request to the buffer's server. `on_reply` is called at most once, and never after
--- `cancel`.
---@param bufnr integer
---@param method string
---@param params table
---@param on_reply fun(err: table?, result: any)
---@return kinglet.Call? nil when there is no server to ask
function M.request(bufnr, method, params, on_reply)
  local client = M.client_of_buffer(bufnr)
  if not client then
    return nil
  end
  local server = M.of_buffer(bufnr)
  local over = false
  -- A server that just died makes a client throw; that it died is told elsewhere.
  local ok, sent, id = pcall(compat.call, client, 'request', method, params, function(err, result)
    if over then
      return
    end
    over = true
    if not err then
      server.n_failures = 0
    end
    on_reply(err, result ~= vim.NIL and result or nil)
  end, bufnr)
  if not ok or not sent then
    return nil
  end
  return {
    cancel = function()
      if not over then
        over = true
        pcall(compat.call, client, 'cancel_request', id)
      end
    end,
  }
end

local function stop(server)
  local client = server.client_id and vim.lsp.get_client_by_id(server.client_id)
  server.state, server.client_id, server.work = 'stopped', nil, {}
  server.generation = (server.generation or 0) + 1
  if client then
    pcall(compat.call, client, 'stop')
  end
end

--- Ends all servers and starts them anew, whatever state they are in.
function M.restart()
  told_missing = false
  for _, server in pairs(servers) do
    stop(server)
    server.n_failures = 0
    start(server)
  end
  changed()
end

---@return kinglet.Server[]
function M.all()
  return vim.tbl_values(servers)
end

return M
