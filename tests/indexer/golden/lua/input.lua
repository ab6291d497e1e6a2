#!/usr/bin/env lua
local reader = require("ring.reader")
local util = require 'ring.util'

local M = {}
local size, limit = 16, 3
counter = 0
M.version = "1.0"

--- A ring of entries.
-- @param n how many it holds
function M.new(n)
  local made = setmetatable({ n = n }, { __index = M })
  local function helper(x) return x + size end
  made.n = helper(n)
  return made
end

--[[
  Pushes an entry.
]]
function M:push(entry, ...)
  self[#self + 1] = entry
end

function M.sub.deep() end
local function private(a, b) return a, b end
local callback = function(x) return M.new(x) end
M.clear = function(self) self.n = 0 end
function global() end

local handlers = {
  open = function(path) return reader.open(path) end,
  close = 3,
}

describe("ring", function()
  local ring = M.new(3)
  it("keeps what was pushed", function()
    assert.equal(1, ring:push(1))
  end)
end)

return M
