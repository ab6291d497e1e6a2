# UTF-16 columns by default; columns past the line's end mean its end.
--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"general":{"positionEncodings":["utf-16"]}}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.c","languageId":"c","version":1,"text":"int é = '😀';\r\nx\n"}}}
--> {"jsonrpc":"2.0","id":2,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":11},"context":{"triggerKind":1}}}
<-- {"id":2,"jsonrpc":"2.0","result":{"items":[{"insertText":"int é = '😀","range":{"end":{"character":11,"line":0},"start":{"character":11,"line":0}}}]}}
--> {"jsonrpc":"2.0","id":3,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":10},"context":{"triggerKind":2}}}
<-- {"id":3,"jsonrpc":"2.0","result":{"items":[{"insertText":"int é = '","range":{"end":{"character":9,"line":0},"start":{"character":9,"line":0}}}]}}
--> {"jsonrpc":"2.0","id":4,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":9999},"context":{"triggerKind":2},"partialResultToken":"t"}}
<-- {"jsonrpc":"2.0","method":"$/progress","params":{"token":"t","value":{"done":false,"insertText":"int é = '😀';","itemId":"1","version":1}}}
<-- {"id":4,"jsonrpc":"2.0","result":{"items":[{"insertText":"int é = '😀';","range":{"end":{"character":13,"line":0},"start":{"character":13,"line":0}}}]}}
# A line past the end, a negative number, a wrong type, a trigger that does not exist, a document that is not open.
--> {"jsonrpc":"2.0","id":5,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":3,"character":0}}}
<-- {"error":{"code":-32602,"message":"line 3 is past the document's end (3 lines, counted from 0)"},"id":5,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":6,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":-1,"character":0}}}
<-- {"error":{"code":-32602,"message":"params.position.line: negative"},"id":6,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":7,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":"4"}}}
<-- {"error":{"code":-32602,"message":"params.position.character: expected a whole number, got a string"},"id":7,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":8,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":0},"context":{"triggerKind":3}}}
<-- {"error":{"code":-32602,"message":"params.context.triggerKind: unknown value 3"},"id":8,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":9,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///b.c"},"position":{"line":0,"character":0}}}
<-- {"error":{"code":-32602,"message":"document not open: file:///b.c"},"id":9,"jsonrpc":"2.0"}
# Two edits in one change.
--> {"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.c","version":5},"contentChanges":[{"range":{"start":{"line":0,"character":9},"end":{"line":0,"character":11}},"text":"ü"},{"range":{"start":{"line":1,"character":0},"end":{"line":2,"character":0}},"text":""}]}}
--> {"jsonrpc":"2.0","id":10,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"id":10,"jsonrpc":"2.0","result":{"isSynced":true,"text":"int é = 'ü';\r\n","version":5}}
# A change that cannot be right: known to be wrong until the full text comes.
--> {"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.c","version":6},"contentChanges":[{"range":{"start":{"line":7,"character":0},"end":{"line":7,"character":0}},"text":"?"}]}}
log: textDocument/didChange: file:///a.c version 6: change 0: line 7 is past the document's end (2 lines, counted from 0); the document is not synced until its full text comes
--> {"jsonrpc":"2.0","id":11,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"id":11,"jsonrpc":"2.0","result":{"isSynced":false,"text":"int é = 'ü';\r\n","version":6}}
--> {"jsonrpc":"2.0","id":12,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":0}}}
<-- {"error":{"code":-32801,"message":"a change of file:///a.c could not be applied; save or reopen it to send its full text"},"id":12,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.c","version":7},"contentChanges":[{"text":"fresh"}]}}
--> {"jsonrpc":"2.0","id":13,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"id":13,"jsonrpc":"2.0","result":{"isSynced":true,"text":"fresh","version":7}}
# The same healed by a save, and by opening again; a version that does not rise.
--> {"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.c","version":7},"contentChanges":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"text":"?"}]}}
log: textDocument/didChange: file:///a.c version 7: versions must rise, this one follows 7; the document is not synced until its full text comes
--> {"jsonrpc":"2.0","method":"textDocument/didSave","params":{"textDocument":{"uri":"file:///a.c"},"text":"saved"}}
--> {"jsonrpc":"2.0","id":14,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"id":14,"jsonrpc":"2.0","result":{"isSynced":true,"text":"saved","version":7}}
# A lone surrogate escape, as JavaScript clients send it: U+FFFD, and the columns behind it hold.
--> {"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///a.c","version":8},"contentChanges":[{"text":"a\ud83db"}]}}
--> {"jsonrpc":"2.0","id":15,"method":"textDocument/inlineCompletion","params":{"textDocument":{"uri":"file:///a.c"},"position":{"line":0,"character":3}}}
<-- {"id":15,"jsonrpc":"2.0","result":{"items":[{"insertText":"a�b","range":{"end":{"character":3,"line":0},"start":{"character":3,"line":0}}}]}}
--> {"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///a.c"}}}
--> {"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///a.c"}}}
log: textDocument/didClose: document not open: file:///a.c
