import type { Reader } from './reader';
import fs = require("fs");
export * as util from './util';

/** What a ring tells. */
export enum Status {
  Ok,
  Full = 'full',
}

export const enum Flag { A = 1 << 0 }

export interface Entry<T> extends Base<T>, Other {
  readonly id: number;
  value?: T;
  // Reads it.
  read(from: Reader): Promise<T>;
  new (id: number): Entry<T>;
  [key: string]: unknown;
}

export type Handler<T = unknown> = (entry: Entry<T>) => void;
type Options = {
  limit: number;
  onFull?: Handler;
};

declare module 'ring' {
  export function open(path: string): Ring<string>;
}
declare global { interface Window { ring: Ring<any>; } }
declare const VERSION: string;

export namespace Rings.Internal {
  export const shared: Ring<number> = make();
  export function make<T>(): Ring<T> { return new Ring<T>(); }
}

/** A ring. */
@Component({ selector: 'app-ring' })
export class Ring<T> extends Base<T> implements Iterable<T>, Disposable {
  private readonly slots: Entry<T>[] = [];
  static instances = 0;
  @Input() name!: string;
  handler: Handler<T> = (entry) => { this.push(entry); };

  constructor(private readonly reader: Reader, size = 16) { super(); }

  push(entry: Entry<T>): void;
  push(entry: Entry<T>, at: number): void;
  push(entry: Entry<T>, at?: number): void {
    const index = at ?? this.slots.length;
    this.slots[index] = entry as Entry<T>;
  }

  get length(): number { return this.slots.length; }
  protected async *[Symbol.iterator](): AsyncGenerator<T> {}
  private static of<U>(this: void, ...all: U[]): Ring<U> { return Rings.Internal.make<U>(); }
}

export abstract class Base<T> {
  abstract size(): number;
  protected abstract readonly kind: string;
}

export function isEntry(x: unknown): x is Entry<unknown>;
export function isEntry(x: any): boolean { return 'id' in x; }

export const first = <T,>(ring: Ring<T>): T | undefined => ring.at(0);
let current: Ring<string> | null = null;

describe('Ring', () => {
  it('pushes', () => {
    expect(first(current!)).toBeUndefined();
  });
});

export default class {
  anonymous(): void {}
}
