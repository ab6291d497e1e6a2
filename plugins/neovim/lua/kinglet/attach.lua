--- Which buffers take part, and the events that drive the session in them.
local config = require('kinglet.config')
local ghost = require('kinglet.ghost')
local keymaps = require('kinglet.keymaps')
local menu = require('kinglet.menu')
local server = require('kinglet.server')
local session = require('kinglet.session')

local api = vim.api

local M = {}

local function n_bytes(bufnr)
  return api.nvim_buf_get_offset(bufnr, api.nvim_buf_line_count(bufnr))
end

--- Why a buffer is left alone; nil when it takes part.
---@param bufnr integer
---@return string?
function M.why_not(bufnr)
  local name = api.nvim_buf_get_name(bufnr)
  local filetypes, filetype = config.options.filetypes, vim.bo[bufnr].filetype
  local wanted = filetypes[filetype]
  if wanted == nil then
    wanted = filetypes['*']
  end
  if vim.bo[bufnr].buftype ~= '' then
    return 'it is not a file'
  elseif name == '' then
    return 'it has no name yet'
  elseif name:match('^%a[%w+.-]*://') then
    return 'it is not a local file'
  elseif not wanted then
    return ('the filetype "%s" is switched off (option "filetypes")'):format(filetype)
  elseif vim.bo[bufnr].binary then
    return 'it is binary'
  elseif n_bytes(bufnr) > config.options.max_file_bytes then
    return 'it is too large (option "max_file_bytes")'
  end
end

local function is_inside(file, folder)
  return file:sub(1, #folder + 1) == folder .. '/'
end

--- The folder that the file belongs to: the nearest one above it with a root marker, else the
--- current folder if the file is in it. Never the home folder or the whole disk just because the
--- editor was started there.
---@param bufnr integer
---@return string?
function M.root_of(bufnr)
  local file = vim.fn.fnamemodify(api.nvim_buf_get_name(bufnr), ':p')
  local folder = vim.fn.fnamemodify(file, ':h')
  while true do
    for _, marker in ipairs(config.options.root_markers) do
      if vim.loop.fs_stat(folder .. '/' .. marker) then
        return folder
      end
    end
    local parent = vim.fn.fnamemodify(folder, ':h')
    if parent == folder then
      break
    end
    folder = parent
  end
  local current = vim.fn.getcwd()
  if is_inside(file, current) and current ~= vim.loop.os_homedir() and current ~= '/' then
    return current
  end
end

--- Attaches the buffer if it takes part.
---@param bufnr integer
function M.consider(bufnr)
  if not api.nvim_buf_is_loaded(bufnr) or M.why_not(bufnr) then
    return
  end
  server.attach(bufnr, M.root_of(bufnr))
  keymaps.set(bufnr)
end

function M.start()
  ghost.define_highlights()
  local group = api.nvim_create_augroup('kinglet', { clear = true })
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on('ColorScheme', ghost.define_highlights)
  on({ 'FileType', 'BufFilePost' }, function(event)
    M.consider(event.buf)
  end)
  on('BufUnload', function(event)
    server.forget(event.buf)
  end)
  on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, session.on_change)
  -- In these the mode, or the menu, is not yet what it is about to be.
  on('InsertEnter', vim.schedule_wrap(session.on_change))
  on({ 'CompleteChanged', 'CompleteDone' }, vim.schedule_wrap(session.look_again))
  on({ 'InsertLeave', 'BufLeave', 'WinLeave' }, session.reset)
  menu.watch(group, session.look_again)
  server.when_ready(function(bufnr)
    if bufnr == api.nvim_get_current_buf() then
      session.look_again()
    end
  end)
  for _, bufnr in ipairs(api.nvim_list_bufs()) do
    M.consider(bufnr)
  end
end

return M
