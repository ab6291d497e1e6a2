--- What Kinglet is doing, in a word and in full.
local attach = require('kinglet.attach')
local program = require('kinglet.program')
local server = require('kinglet.server')
local session = require('kinglet.session')

local M = {}

local kWords = {
  starting = 'starting',
  waiting = 'restarting',
  failed = 'stopped',
  stopped = 'stopped',
}

local function work_text(work)
  return work.percentage and ('%s %d%%'):format(work.title, work.percentage) or work.title
end

--- One short text for a status line: '' where Kinglet has no part in the buffer, else 'kinglet' and
--- what there is to say. `User KingletStatus` fires whenever it may have changed.
---@return string
function M.line()
  local bufnr = vim.api.nvim_get_current_buf()
  local own = server.of_buffer(bufnr)
  if not own then
    return ''
  end
  local now = session.inspect()
  local what = kWords[own.state]
  if not what then
    local _, work = next(own.work)
    if not session.is_enabled() or vim.b[bufnr].kinglet_enabled == false then
      what = 'off'
    elseif now.asking then
      what = '…'
    elseif now.n_items > 1 then
      what = ('%d/%d'):format(now.index, now.n_items)
    elseif work then
      what = work_text(work)
    end
  end
  return what and 'kinglet ' .. what or 'kinglet'
end

--- Everything the plugin knows, as lines.
---@param bufnr integer
---@return string[]
function M.report(bufnr)
  local found = program.find()
  local lines = {
    ('program      %s (%s)'):format(found.path or 'none', found.origin),
    ('completions  %s'):format(session.is_enabled() and 'on' or 'off (:Kinglet enable)'),
  }
  local why_not = attach.why_not(bufnr)
  lines[#lines + 1] = 'this buffer  ' .. (why_not and 'left alone: ' .. why_not or 'attached')
  for _, own in ipairs(server.all()) do
    local text = ('server       %s: %s'):format(own.root or 'single files', own.state)
    for _, work in pairs(own.work) do
      text = text .. ', ' .. work_text(work)
    end
    lines[#lines + 1] = text
  end
  return lines
end

return M
