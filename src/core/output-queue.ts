/** What a core has to say, in order. Reading the oldest is O(1), and an empty queue holds no memory. */
export class OutputQueue<Output> {
  #outputs: Output[] = []
  #read = 0

  push(output: Output): void {
    this.#outputs.push(output)
  }

  /** The oldest unread output; undefined when drained. */
  take(): Output | undefined {
    const output = this.#outputs[this.#read]
    if (output === undefined) return undefined
    this.#read++
    if (this.#read === this.#outputs.length) {
      this.#outputs = []
      this.#read = 0
    }
    return output
  }
}
