--- One typing session: from the keystroke to the request, from the stream to the ghost text, from
--- the key to the accepted text. There is one cursor in insert mode, so there is one session.
---
--- The order of events: the editor tells of a change (`on_change`). If the suggestion at hand still
--- fits, it is drawn shorter and nothing is asked. Else it is dropped, the request under way is
--- cancelled, and after a short quiet a new one is sent. A stream's values and the final answer
--- only ever touch the suggestion of the request they belong to; what belongs to no living request
--- is never looked at.
local compat = require('kinglet.compat')
local config = require('kinglet.config')
local ghost = require('kinglet.ghost')
local menu = require('kinglet.menu')
local server = require('kinglet.server')
local suggestions = require('kinglet.suggestion')
local text = require('kinglet.text')
local views = require('kinglet.view')

local api = vim.api

local M = {}

local kInvoked, kAutomatic = 1, 2 -- InlineCompletionTriggerKind

---@class kinglet.Asked the request under way; cancelled, nothing of it arrives any more
---@field call kinglet.Call
---@field token string

---@type kinglet.Suggestion?
local suggestion
---@type kinglet.Asked?
local asked
--- The buffer state that was looked at last: one keystroke fires several events.
local seen
local enabled = true
--- Counts the changes; a delayed request is sent only if none came after it.
local generation = 0

local function in_insert_mode()
  return api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function may_suggest(bufnr)
  return enabled
    and in_insert_mode()
    and vim.b[bufnr].kinglet_enabled ~= false
    and server.of_buffer(bufnr) ~= nil
    and vim.fn.reg_executing() == ''
end

local function cancel_request()
  generation = generation + 1
  if asked then
    server.close_stream(asked.token)
    asked.call.cancel()
    asked = nil
    compat.fire('KingletStatus')
  end
end

--- Forgets the suggestion and the request.
function M.reset()
  cancel_request()
  suggestion, seen = nil, nil
  ghost.clear()
end

--- Brings the screen in line with the suggestion.
---@return string state as Suggestion:state tells
local function redraw()
  if not suggestion then
    ghost.clear()
    return 'misfit'
  end
  local view = views.current()
  if view.bufnr ~= suggestion.bufnr then
    return 'misfit'
  end
  local state, rest = suggestion:state(view)
  if state == 'shown' and not (config.options.yield_to_menu and menu.is_open()) then
    ghost.draw(view, rest, suggestion:current().replaces)
  else
    ghost.clear()
  end
  return state
end

local function items_of(result, own, encoding)
  local items = {}
  local list = type(result) == 'table' and (result.items or result)
  for _, value in ipairs(type(list) == 'table' and list or {}) do
    local item = own:item(value, encoding)
    if item and item.text ~= '' then
      items[#items + 1] = item
    end
  end
  return items
end

local request -- below

--- Draws what an answer brought. Where typing went past it, it is dropped and asked for anew.
local function show(own)
  suggestion = own
  local state = redraw()
  if state == 'misfit' or (state == 'used_up' and not asked) then
    M.reset()
    request(kAutomatic)
  end
end

local function on_value(own, value, encoding)
  if not in_insert_mode() then
    return
  end
  own:grow(value, encoding)
  if own.items[1] then
    show(own)
  end
end

local function on_reply(own, err, result, encoding)
  server.close_stream(asked.token)
  asked = nil
  compat.fire('KingletStatus')
  if not in_insert_mode() then
    return
  end
  if err or result == nil then
    -- No final word. What was streamed is good text that the user is looking at: it stays.
    own.complete = true
  else
    own:finish(items_of(result, own, encoding))
  end
  if own.items[1] then
    show(own)
  elseif suggestion == own then
    suggestion = nil
    ghost.clear()
  end
end

--- Asks for a suggestion at the cursor, now.
---@param trigger_kind integer
function request(trigger_kind)
  local view = views.current()
  local client = server.client_of_buffer(view.bufnr)
  if not client or not client.server_capabilities.inlineCompletionProvider then
    return
  end
  cancel_request()
  local encoding = client.offset_encoding or 'utf-16'
  local own = suggestions.new(view)
  own.bufnr = view.bufnr
  local token = server.open_stream(function(value)
    on_value(own, value, encoding)
  end)
  local params = view:place(encoding)
  params.context = { triggerKind = trigger_kind }
  params.partialResultToken = token
  local call = server.request(
    view.bufnr,
    'textDocument/inlineCompletion',
    params,
    function(err, result)
      on_reply(own, err, result, encoding)
    end
  )
  if not call then
    server.close_stream(token)
    return
  end
  asked = { call = call, token = token }
  compat.fire('KingletStatus')
end

local function request_soon()
  local wanted = generation
  vim.defer_fn(function()
    if wanted == generation and may_suggest(api.nvim_get_current_buf()) then
      request(kAutomatic)
    end
  end, config.options.debounce_ms)
end

--- Looks at the buffer again: after typing, cursor movement, a menu opening or closing.
function M.on_change()
  local view = views.current()
  if not may_suggest(view.bufnr) then
    if suggestion or asked then
      M.reset()
    end
    return
  end
  local now = ('%d %d %d %d'):format(
    view.bufnr,
    api.nvim_buf_get_changedtick(view.bufnr),
    view.row,
    view.col
  )
  local state = redraw()
  if state == 'shown' or state == 'waiting' or now == seen then
    seen = now
    return
  end
  M.reset()
  seen = now
  if config.options.auto_trigger and not (config.options.yield_to_menu and menu.is_open()) then
    request_soon()
  end
end

--- Looks at the buffer as if it had changed: a menu gave way, or a server came up, and what could
--- not be asked for then can be asked for now.
function M.look_again()
  seen = nil
  M.on_change()
end

--- Whether accepting would insert something: asked of the buffer, not of the screen, since a fast
--- typist's keys arrive before the screen follows.
---@return boolean
function M.can_accept()
  if not suggestion or not ghost.is_shown() or not in_insert_mode() then
    return false
  end
  local view = views.current()
  return view.bufnr == suggestion.bufnr and (suggestion:state(view)) == 'shown'
end

--- How much of the suggestion a key takes.
local kParts = {
  all = function(rest)
    return rest
  end,
  word = text.first_word,
  line = text.first_line,
}

--- Inserts a part of the suggestion. To be called where the buffer may be changed, between two undo
--- breaks: see keymaps.lua.
---@param part 'all'|'word'|'line'
function M.insert(part)
  if not M.can_accept() then
    return
  end
  local view = views.current()
  local _, rest = suggestion:state(view)
  local taken = kParts[part](rest)
  local item = suggestion:current()
  local whole = taken == rest
  local stop = whole and view.col + item.replaces or view.col
  local lines = text.lines(taken)
  if whole then
    ghost.clear()
  end
  api.nvim_buf_set_text(view.bufnr, view.row, view.col, view.row, stop, lines)
  local col = #lines == 1 and view.col + #taken or #lines[#lines]
  api.nvim_win_set_cursor(0, { view.row + #lines, col })
  if whole then
    M.reset()
    if item.command then
      server.request(view.bufnr, 'workspace/executeCommand', item.command, function() end)
    end
  end
  M.on_change()
end

--- Takes the ghost text away until the next change.
---@return boolean whether there was any
function M.dismiss()
  if not suggestion and not asked then
    return false
  end
  local was = seen
  M.reset()
  seen = was
  return true
end

--- Shows another alternative; asks for some when there is only one.
---@param step integer
function M.cycle(step)
  if not M.can_accept() then
    return false
  end
  if suggestion:cycle(views.current(), step) then
    redraw()
  elseif not asked then
    request(kInvoked)
  end
  return true
end

--- Asks for a suggestion by hand.
function M.trigger()
  local bufnr = api.nvim_get_current_buf()
  if may_suggest(bufnr) then
    request(kInvoked)
  end
end

---@param on boolean
function M.set_enabled(on)
  enabled = on
  if on then
    M.look_again()
  else
    M.reset()
  end
end

---@return boolean
function M.is_enabled()
  return enabled
end

--- For status lines and tests: what there is now.
---@return {asking: boolean, n_items: integer, index: integer}
function M.inspect()
  return {
    asking = asked ~= nil,
    n_items = suggestion and #suggestion.items or 0,
    index = suggestion and suggestion.index or 0,
  }
end

return M
