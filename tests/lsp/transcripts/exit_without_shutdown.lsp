--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","id":2,"method":"test/later"}
--> {"jsonrpc":"2.0","method":"exit"}
exit 1
