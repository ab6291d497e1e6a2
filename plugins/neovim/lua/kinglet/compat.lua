--- What differs between Neovim 0.7 and 0.12, in one place. Nowhere else is a version asked for.
local api = vim.api

local M = {}

--- Virtual text that pushes the rest of the line to the right, instead of covering it.
M.has_inline_virtual_text = vim.fn.has('nvim-0.10') == 1

local clients_are_objects = vim.fn.has('nvim-0.11') == 1

--- Calls a client's method: `client.request(…)` up to 0.10, `client:request(…)` from 0.11 on.
---@param client table
---@param method string
function M.call(client, method, ...)
  if clients_are_objects then
    return client[method](client, ...)
  end
  return client[method](...)
end

--- Starts a client without attaching any buffer.
---@return integer? client id
---@return string? error
local function start_detached(config)
  local ok, id, message
  if clients_are_objects then
    local options = {
      attach = false,
      silent = true,
      reuse_client = function()
        return false
      end,
    }
    ok, id, message = pcall(vim.lsp.start, config, options)
  else
    ok, id, message = pcall(vim.lsp.start_client, config)
  end
  if not ok then
    return nil, tostring(id)
  end
  return id, message
end

--- Starts a language server without attaching any buffer.
---@param config table as vim.lsp.start takes it, cmd being a list
---@param on_exit fun(code: integer, signal: integer) may be called in a fast context
---@return integer? client id
---@return string? error
function M.start_client(config, on_exit)
  config = vim.tbl_extend('force', {}, config)
  if M.has_inline_virtual_text then
    -- From 0.10 on the transport can be wrapped. Neovim would tell of a failed server each time it
    -- fails; the plugin tells once, and in its own words. So Neovim hears of a quiet end.
    local command = config.cmd
    config.cmd = function(dispatchers)
      local wrapped = vim.tbl_extend('force', {}, dispatchers)
      wrapped.on_exit = function(code, signal)
        on_exit(code, signal)
        return dispatchers.on_exit(0, 0)
      end
      return vim.lsp.rpc.start(command, wrapped)
    end
  else
    config.on_exit = on_exit
  end
  return start_detached(config)
end

--- The id of a client that belongs to no process and is never initialized: see M.attach.
---@type integer?
local stand_in

local function stand_in_client()
  if not M.has_inline_virtual_text then
    return -1 -- up to 0.9 an id that belongs to nobody will do
  end
  if not (stand_in and vim.lsp.get_client_by_id(stand_in)) then
    stand_in = start_detached({
      name = 'kinglet-stand-in',
      cmd = function(dispatchers)
        return {
          request = function()
            return true, 1
          end,
          notify = function()
            return true
          end,
          is_closing = function()
            return false
          end,
          terminate = function()
            dispatchers.on_exit(0, 0)
          end,
        }
      end,
    })
    -- Neovim counts clients by kind of synchronization, and 0.10 fails where a buffer goes whose
    -- client it never counted, as this one, while another client of the same kind is counted. So
    -- its kind is nobody else's.
    local client = stand_in and vim.lsp.get_client_by_id(stand_in)
    if client then
      client.server_capabilities = { textDocumentSync = { change = 'none, by a stand-in' } }
    end
  end
  return stand_in
end

--- Attaches a client to a buffer.
---
--- Neovim stops listening to a buffer at the first change after its last client is gone, and takes
--- it for listened to ever after: a server that was started again would not see another keystroke
--- (0.7 to 0.12). So a stand-in stays attached. Neovim counts it, and asks it nothing.
---@param bufnr integer
---@param client_id integer
function M.attach(bufnr, client_id)
  local idle = stand_in_client()
  if idle then
    vim.lsp.buf_attach_client(bufnr, idle)
  end
  return vim.lsp.buf_attach_client(bufnr, client_id)
end

--- Neovim 0.12 can draw inline completions itself. Where someone has switched that on for all
--- clients, or does so whenever one attaches, ours is taken out: nothing is to be drawn twice.
---@param client_id integer
function M.keep_builtin_out(client_id)
  local builtin = vim.lsp.inline_completion
  if builtin then
    vim.schedule(function()
      pcall(builtin.enable, false, { client_id = client_id })
    end)
  end
end

--- Methods in which another server of the buffer goes first.
local kNavigation = {
  ['textDocument/definition'] = true,
  ['textDocument/references'] = true,
  ['textDocument/hover'] = true,
  ['textDocument/documentHighlight'] = true,
  ['textDocument/documentSymbol'] = true,
  ['workspace/symbol'] = true,
}

local function clients_of(bufnr)
  if vim.lsp.get_clients then
    return vim.lsp.get_clients({ bufnr = bufnr })
  end
  return vim.tbl_values(vim.lsp.buf_get_clients(bufnr))
end

--- Hides a client's navigation in buffers where another server offers the same: Neovim asks a
--- client whether it supports a method each time before it sends a request, in all versions.
---@param client table
function M.give_way(client)
  local supports = client.supports_method
  local is_busy = false -- another client may ask in turn whether we do
  local function supports_here(self, method, where)
    local supported = clients_are_objects and supports(self, method, where)
      or not clients_are_objects and supports(method, where)
    if not supported or not kNavigation[method] or is_busy then
      return supported
    end
    local bufnr = type(where) == 'table' and where.bufnr or where
    bufnr = type(bufnr) == 'number' and bufnr ~= 0 and bufnr or api.nvim_get_current_buf()
    is_busy = true
    local ok, hidden = pcall(function()
      for _, other in ipairs(clients_of(bufnr)) do
        if other.id ~= client.id and not vim.startswith(other.name or '', 'kinglet') then
          if clients_are_objects and other:supports_method(method, bufnr) then
            return true
          elseif not clients_are_objects and other.supports_method(method, { bufnr = bufnr }) then
            return true
          end
        end
      end
      return false
    end)
    is_busy = false
    return supported and not (ok and hidden)
  end
  if clients_are_objects then
    client.supports_method = supports_here
  else
    client.supports_method = function(method, where)
      return supports_here(client, method, where)
    end
  end
end

--- The checkhealth reporters, under the names they have had since 0.10.
---@return {start: function, ok: function, warn: function, error: function, info: function}
function M.health()
  local health = vim.health or require('health')
  return {
    start = health.start or health.report_start,
    ok = health.ok or health.report_ok,
    warn = health.warn or health.report_warn,
    error = health.error or health.report_error,
    info = health.info or health.report_info,
  }
end

--- Fires a `User` event; errors in someone's handler stay theirs.
---@param pattern string
function M.fire(pattern)
  pcall(api.nvim_exec_autocmds, 'User', { pattern = pattern, modeline = false })
end

return M
