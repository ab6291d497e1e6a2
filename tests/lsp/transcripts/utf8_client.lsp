# Neovim 0.11 and newer: UTF-8 columns; empty Lua tables come as [].
--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"general":{"positionEncodings":["utf-16","utf-8"]},"workspace":[],"experimental":{"kinglet":{"inlineStream":true}}},"initializationOptions":[],"workspaceFolders":[{"uri":"file:///r","name":"r"}]}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-8","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","method":"initialized","params":[]}
--> {"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.lua","languageId":"lua","version":0,"text":"é😀z"}}}
--> {"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.lua"},"position":{"line":0,"character":6},"context":{"triggerKind":2}}}
<-- {"id":2,"jsonrpc":"2.0","result":{"items":[{"insertText":"é😀","range":{"end":{"character":6,"line":0},"start":{"character":6,"line":0}}}]}}
--> {"jsonrpc":"2.0","id":3,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.lua"},"position":{"line":0.0,"character":4.0},"context":{"triggerKind":2}}}
<-- {"id":3,"jsonrpc":"2.0","result":{"items":[{"insertText":"é","range":{"end":{"character":2,"line":0},"start":{"character":2,"line":0}}}]}}
