--- Draws ghost text: one extmark, replaced in place, so that no redraw ever shows it missing.
---
--- One line goes between the cursor and the rest of its line: pushed in on Neovim 0.10 and up;
--- before that laid over, with the rest of the line drawn again behind it. Of several lines the
--- first covers the rest of the cursor's line and the last carries it, as it will once accepted.
local compat = require('kinglet.compat')
local text = require('kinglet.text')

local api = vim.api

local M = {}

M.namespace = api.nvim_create_namespace('kinglet')

local kMark = 1 -- the only extmark of the namespace
local kGhost = 'KingletGhost'
local kRest = 'KingletRest' -- what is really in the buffer, drawn again

--- The buffer that shows ghost text now.
---@type integer?
local shown_in

--- Sets the colors; user definitions win.
function M.define_highlights()
  -- The default colors of 0.10 and up leave comments plain on terminals with 256 colors: ghost text
  -- must never look like text.
  local ok, comment = pcall(api.nvim_get_hl_by_name, 'Comment', false)
  local plain = not vim.o.termguicolors and ok and not comment.foreground
  local link = plain and { ctermfg = 8, default = true } or { link = 'Comment', default = true }
  api.nvim_set_hl(0, kGhost, link)
  api.nvim_set_hl(0, kRest, { link = 'Normal', default = true })
end

--- Control characters as they are displayed; tabs as blanks, for virtual text knows no tab stops.
---@param line string
---@param column integer display column where the line begins
local function displayed(line, column)
  if not line:find('%c') then
    return line
  end
  local parts = {}
  for plain, control in (line .. '\0'):gmatch('(%C*)(%c)') do
    parts[#parts + 1] = plain
    column = column + vim.fn.strdisplaywidth(plain, column)
    if control == '\t' then
      local width = vim.fn.strdisplaywidth('\t', column)
      parts[#parts + 1], column = (' '):rep(width), column + width
    elseif control ~= '\0' then
      local shown = vim.fn.strtrans(control)
      parts[#parts + 1], column = shown, column + #shown
    end
  end
  return table.concat(parts)
end

--- The options of the extmark that draws `rest` at the view's cursor.
---@param view kinglet.View
---@param rest string
---@param replaces integer bytes right of the cursor that accepting takes away
local function mark_options(view, rest, replaces)
  local after = view:after()
  local line = view:line(view.row)
  local column = vim.fn.strdisplaywidth(line:sub(1, view.col))
  local replaced, kept = after:sub(1, replaces), after:sub(replaces + 1)
  local lines = text.lines(rest)

  local options = { id = kMark, hl_mode = 'combine', priority = 4096 }
  if #lines == 1 then
    if replaced ~= '' and text.ends_with(rest, replaced) then
      lines[1], kept = rest:sub(1, -#replaced - 1), after
    end
    local first = displayed(lines[1], column)
    options.virt_text = { { first, kGhost } }
    if compat.has_inline_virtual_text then
      options.virt_text_pos = 'inline'
    else
      options.virt_text_pos = 'overlay'
      if kept ~= '' then
        local width = vim.fn.strdisplaywidth(first, column)
        options.virt_text[2] = { displayed(kept, column + width), kRest }
      end
    end
    return options
  end

  local first = displayed(lines[1], column)
  options.virt_text = { { first, kGhost } }
  if after == '' and compat.has_inline_virtual_text then
    options.virt_text_pos = 'inline'
  else
    local covered = vim.fn.strdisplaywidth(after, column) - vim.fn.strdisplaywidth(first, column)
    options.virt_text_pos, options.hl_mode = 'overlay', 'replace'
    if covered > 0 then
      options.virt_text[2] = { (' '):rep(covered), kRest }
    end
  end
  options.virt_lines = {}
  for i = 2, #lines do
    options.virt_lines[i - 1] = { { displayed(lines[i], 0), kGhost } }
  end
  if kept ~= '' then
    local last = options.virt_lines[#lines - 1]
    last[2] = { displayed(kept, vim.fn.strdisplaywidth(lines[#lines])), kRest }
  end
  return options
end

--- Draws what is left to be typed, in place of what was drawn before.
---@param view kinglet.View
---@param rest string
---@param replaces integer
function M.draw(view, rest, replaces)
  if shown_in and shown_in ~= view.bufnr then
    M.clear()
  end
  local options = mark_options(view, rest, replaces)
  api.nvim_buf_set_extmark(view.bufnr, M.namespace, view.row, view.col, options)
  shown_in = view.bufnr
end

function M.clear()
  if shown_in and api.nvim_buf_is_valid(shown_in) then
    api.nvim_buf_clear_namespace(shown_in, M.namespace, 0, -1)
  end
  shown_in = nil
end

---@return boolean
function M.is_shown()
  return shown_in ~= nil
end

return M
