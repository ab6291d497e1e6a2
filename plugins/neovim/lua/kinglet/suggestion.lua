--- A suggestion: what a server proposed at one place, and what of it is still to be typed.
---
--- It is anchored where the request was made and never moved. What is left to show is computed
--- from the buffer each time: the proposed text without what stands between the anchor and the
--- cursor. So typing along, taking a word, deleting back and undo are all the same thing, and there
--- is no state that could disagree with the buffer. Nothing here touches the editor; see view.lua.
local text = require('kinglet.text')

---@class kinglet.Item
---@field id string? names the item in a stream
---@field text string to be inserted at the anchor
---@field replaces integer bytes right of the anchor that the text takes the place of
---@field command table? the server's command, to be run once the item is accepted

---@class kinglet.Suggestion
---@field row integer 0-based line of the anchor
---@field col integer byte column of the anchor
---@field before string the anchor's line up to the anchor
---@field after string the anchor's line from the anchor on
---@field items kinglet.Item[]
---@field index integer the item shown
---@field complete boolean nothing more will come
local Suggestion = {}
Suggestion.__index = Suggestion

local M = {}

---@param view kinglet.View where the request is made
---@return kinglet.Suggestion
function M.new(view)
  local line = view:line(view.row)
  return setmetatable({
    row = view.row,
    col = view.col,
    before = line:sub(1, view.col),
    after = line:sub(view.col + 1),
    items = {},
    index = 1,
    complete = false,
  }, Suggestion)
end

--- The byte columns of a range, if it is one and lies on the anchor's line.
function Suggestion:columns(range, line, encoding)
  local function column(position)
    if type(position) == 'table' and position.line == self.row then
      local character = tonumber(position.character)
      return character and text.column_to_bytes(line, character, encoding)
    end
  end
  if type(range) == 'table' then
    return column(range.start), column(range['end'])
  end
end

--- An item of the protocol as one of ours, or nil when it does not fit the anchor: snippets (never
--- asked for), ranges on other lines, ranges whose text the item does not begin with.
---@param value table InlineCompletionItem, or the value of a stream's notification
---@param encoding string position encoding of the client
---@return kinglet.Item?
function Suggestion:item(value, encoding)
  if type(value) ~= 'table' or type(value.insertText) ~= 'string' then
    return nil
  end
  local item = {
    id = value.itemId,
    text = text.unix_lines(value.insertText),
    replaces = 0,
    command = type(value.command) == 'table' and value.command or nil,
  }
  if value.range ~= nil then
    local line = self.before .. self.after
    local first, last = self:columns(value.range, line, encoding)
    if not first or not last then
      return nil
    end
    local replaced = line:sub(first + 1, self.col)
    if first > self.col or last < self.col or not text.starts_with(item.text, replaced) then
      return nil
    end
    item.text = item.text:sub(#replaced + 1)
    item.replaces = last - self.col
  end
  return item
end

--- Takes in a stream's notification: the text of one item so far.
---@param value table
---@param encoding string
function Suggestion:grow(value, encoding)
  local item = self:item(value, encoding)
  if not item then
    return
  end
  for i, known in ipairs(self.items) do
    if known.id == item.id then
      self.items[i] = item
      return
    end
  end
  table.insert(self.items, item)
end

--- Takes in the final answer. The item shown stays the one shown where the answer still holds it.
---@param items kinglet.Item[]
function Suggestion:finish(items)
  local shown = self.items[self.index]
  self.items, self.index, self.complete = items, 1, true
  for i, item in ipairs(items) do
    if shown and text.starts_with(item.text, shown.text) then
      self.index = i
      return
    end
  end
end

--- What was typed since the request, or nil when the cursor's surroundings are no longer those of
--- the request.
function Suggestion:typed(view)
  if view.row < self.row or view:line(self.row):sub(1, self.col) ~= self.before then
    return nil
  end
  if view:line(view.row):sub(view.col + 1) ~= self.after then
    return nil
  end
  if view.row == self.row then
    return view.col >= self.col and view:line(self.row):sub(self.col + 1, view.col) or nil
  end
  local lines = { view:line(self.row):sub(self.col + 1) }
  for row = self.row + 1, view.row - 1 do
    lines[#lines + 1] = view:line(row)
  end
  lines[#lines + 1] = view:line(view.row):sub(1, view.col)
  return table.concat(lines, '\n')
end

--- Where the suggestion stands at this view of the buffer.
---
--- 'shown'    the second result is left to be typed
--- 'waiting'  all that came so far is typed, more may come
--- 'used_up'  all of it is typed
--- 'misfit'   something else is there: the suggestion is outdated
---
--- Where the item shown does not fit but another one does, that one becomes the item shown.
---@param view kinglet.View
---@return 'shown'|'waiting'|'used_up'|'misfit', string
function Suggestion:state(view)
  local typed = self:typed(view)
  if not typed then
    return 'misfit', ''
  end
  for step = 0, #self.items - 1 do
    local i = (self.index - 1 + step) % #self.items + 1
    local proposed = self.items[i].text
    if #proposed > #typed and text.starts_with(proposed, typed) then
      self.index = i
      return 'shown', proposed:sub(#typed + 1)
    end
  end
  local current = self.items[self.index]
  if current and current.text == typed and self.complete then
    return 'used_up', ''
  end
  -- Typing ran ahead of the stream: only what comes next tells whether the two still agree.
  if not self.complete and current and text.starts_with(typed, current.text) then
    return 'waiting', ''
  end
  return 'misfit', ''
end

--- Shows another alternative that fits what was typed.
---@param view kinglet.View
---@param step integer 1 for the next, -1 for the one before
---@return boolean whether there is another one
function Suggestion:cycle(view, step)
  local typed = self:typed(view)
  if not typed then
    return false
  end
  for n = 1, #self.items - 1 do
    local i = (self.index - 1 + n * step) % #self.items + 1
    local proposed = self.items[i].text
    if #proposed > #typed and text.starts_with(proposed, typed) then
      self.index = i
      return true
    end
  end
  return false
end

---@return kinglet.Item?
function Suggestion:current()
  return self.items[self.index]
end

return M
