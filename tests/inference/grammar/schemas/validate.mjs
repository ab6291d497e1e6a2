// usage: node validate.mjs FILE
// Each line of FILE is {"schema": ..., "output": "..."}. Prints one line of JSON: how many there
// were, how many outputs are JSON, how many of these the schema accepts, and the first few others.
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import Ajv2020 from "ajv/dist/2020.js";

const counts = { outputs: 0, parsed: 0, valid: 0, trouble: [] };
const trouble = (sample, what) => {
  if (counts.trouble.length < 5) counts.trouble.push({ ...sample, what });
};

for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const sample = JSON.parse(line);
  counts.outputs += 1;
  let value;
  try {
    value = JSON.parse(sample.output);
    counts.parsed += 1;
  } catch (error) {
    trouble(sample, String(error));
    continue;
  }
  // A fresh one for each: it remembers schemas by their $id.
  const ajv = new Ajv2020.default({ strict: false, validateFormats: false });
  if (ajv.validate(sample.schema, value)) counts.valid += 1;
  else trouble(sample, ajv.errorsText());
}
console.log(JSON.stringify(counts));
