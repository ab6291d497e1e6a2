--- The `:Kinglet` command.
local log = require('kinglet.log')
local program = require('kinglet.program')
local server = require('kinglet.server')
local session = require('kinglet.session')
local status = require('kinglet.status')
local text = require('kinglet.text')
local views = require('kinglet.view')

local api = vim.api

local M = {}

--- A value of the server's report as lines `name value`, nested names joined by a dot.
local function flatten(lines, name, value)
  if type(value) ~= 'table' then
    lines[#lines + 1] = ('%-12s %s'):format(name, tostring(value))
    return
  end
  local keys = vim.tbl_keys(value)
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for _, key in ipairs(keys) do
    flatten(lines, name == '' and tostring(key) or name .. '.' .. key, value[key])
  end
end

local function show(lines)
  api.nvim_echo({ { table.concat(lines, '\n') } }, true, {})
end

local function buffer_named(title)
  for _, bufnr in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_get_name(bufnr) == title then
      return bufnr
    end
  end
end

--- Opens lines in a split that is thrown away when closed. One that is there is filled anew.
local function open(title, lines)
  local bufnr = buffer_named(title)
  local window = bufnr and vim.fn.win_findbuf(bufnr)[1]
  if window then
    api.nvim_set_current_win(window)
  else
    vim.cmd('botright new')
    bufnr = api.nvim_get_current_buf()
    vim.bo[bufnr].buftype, vim.bo[bufnr].bufhidden, vim.bo[bufnr].swapfile = 'nofile', 'wipe', false
    pcall(api.nvim_buf_set_name, bufnr, title)
  end
  api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  return bufnr
end

--- The request whose answer the context's split waits for.
---@type kinglet.Call?
local asked

local function forget_asked()
  if asked then
    asked.cancel()
    asked = nil
  end
end

local kCommands = {
  --- What the plugin knows, then what the server says of itself.
  status = function()
    local bufnr = api.nvim_get_current_buf()
    local lines = status.report(bufnr)
    local call = server.request(bufnr, 'kinglet/status', vim.empty_dict(), function(err, result)
      if err then
        lines[#lines + 1] = 'the server has no report: ' .. tostring(err.message)
      else
        flatten(lines, '', result or {})
      end
      show(lines)
    end)
    if not call then
      show(lines)
    end
  end,

  --- The plugin's own log, then the daemon's as `kinglet logs` prints it.
  log = function()
    local bufnr = open('kinglet://log', log.lines())
    local found = program.find()
    if not found.path then
      return
    end
    local function append(_, lines)
      if api.nvim_buf_is_valid(bufnr) and table.concat(lines) ~= '' then
        api.nvim_buf_set_lines(bufnr, -1, -1, false, lines)
      end
    end
    vim.fn.jobstart({ found.path, 'logs' }, {
      stdout_buffered = true,
      stderr_buffered = true,
      on_stdout = append,
      on_stderr = append,
    })
  end,

  --- What the prompt of a completion at the cursor holds, and why. The split opens before there is
  --- an answer: one that opened later would take the cursor away from somebody who types.
  context = function()
    local view = views.current()
    local client = server.client_of_buffer(view.bufnr)
    if not client then
      log.tell(vim.log.levels.ERROR, 'no server knows this buffer; see :Kinglet status')
      return
    end
    local place = view:place(client.offset_encoding or 'utf-16')
    forget_asked()
    local bufnr = open('kinglet://context', { 'asking the server …' })
    api.nvim_create_autocmd('BufWipeout', {
      group = api.nvim_create_augroup('KingletContext', { clear = true }),
      buffer = bufnr,
      callback = forget_asked,
    })
    local function fill(answer)
      asked = nil
      api.nvim_buf_set_lines(bufnr, 0, -1, false, text.lines((answer:gsub('\n$', ''))))
    end
    asked = server.request(view.bufnr, 'kinglet/context', place, function(err, result)
      local rendered = type(result) == 'table' and result.rendered
      local reason = err and err.message or 'it answered nothing'
      fill(rendered or ('the server shows no context: %s'):format(reason))
    end)
    if not asked then
      fill('the server cannot be asked; see :Kinglet log')
    end
  end,

  enable = function()
    session.set_enabled(true)
  end,

  disable = function()
    session.set_enabled(false)
  end,

  restart = function()
    session.reset()
    server.restart()
  end,
}

local function names()
  local all = vim.tbl_keys(kCommands)
  table.sort(all)
  return all
end

---@param name string
function M.run(name)
  local command = kCommands[name]
  if command then
    command()
  else
    local message = 'Kinglet: no command "%s"; there are %s'
    vim.notify(message:format(name, table.concat(names(), ', ')), vim.log.levels.ERROR)
  end
end

---@param begun string
---@return string[]
function M.complete(begun)
  return vim.tbl_filter(function(name)
    return name:sub(1, #begun) == begun
  end, names())
end

return M
