'use strict';
import fs, { readFile as read } from 'node:fs';
import * as path from "path";
const util = require('util');
export { walk } from './walk.js';
export * from './all.js';

/** How many entries a ring holds. */
export const SIZE = 16;
let counter = 0, total;
var legacy = null;

/**
 * A ring of entries.
 * @template T
 */
export class Ring extends Buffer {
  #slots = [];
  static shared = new Ring();
  onFull = (entry) => { this.dropped += 1; };

  constructor(size = SIZE) {
    super();
    this.size = size;
  }

  // How many there are.
  get length() { return this.#slots.length; }

  static async from({ entries }, ...rest) {
    const made = new Ring();
    for await (const entry of entries) made.push(entry);
    return made;
  }

  *[Symbol.iterator]() { yield* this.#slots; }
}

export default function main(argv) {
  function inner(depth) { return depth + 1; }
  const helper = (a) => a * inner(counter);
  let local = argv.map((x) => helper(x));
  return local;
}

function* numbers() { yield SIZE; }
export const double = async (x, y = 2) => x * y;
const render = function (node) { return <Ring size={double(node)} {...legacy} />; };
const Mixin = class extends Ring { mix() {} };

// Plain objects have members, too.
const handlers = {
  open(file) { return read(file); },
  close: function (file) {},
  each: (f) => f(handlers),
  limit: 3,
};

module.exports = {
  start() {},
};
exports.stop = function () {};
module.exports.pause = () => {};
Ring.prototype.clear = function () { this.size = 0; };
Ring.merge = function (a, b) { return a.concat(b); };

describe('Ring', () => {
  const fixture = new Ring();
  it("keeps what was pushed", async () => { expect(fixture.length).toBe(0); });
  test.each([1, 2])(`counts`, (n) => {});
  it.skip('is later', function () {});
});
const lazy = () => import('./lazy.js');
