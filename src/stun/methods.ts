/** Message classes and methods (RFC 8489 §5, RFC 8656 §17, RFC 6062 §6.1) and how they share the message type. */

export const methods = {
  Binding: 0x001,
  Allocate: 0x003,
  Refresh: 0x004,
  Send: 0x006,
  Data: 0x007,
  CreatePermission: 0x008,
  ChannelBind: 0x009,
  Connect: 0x00a,
  ConnectionBind: 0x00b,
  ConnectionAttempt: 0x00c,
} as const

export type MethodName = keyof typeof methods

/** The two class bits, C1 and C0, as a number. */
export const messageClasses = { request: 0, indication: 1, success: 2, error: 3 } as const

export type MessageClass = keyof typeof messageClasses

const classNames: readonly MessageClass[] = ['request', 'indication', 'success', 'error']

const methodNames = new Map<number, MethodName>(
  Object.entries(methods).map(([name, number]) => [number, name as MethodName]),
)

/** The 14 bits in which method and class are interleaved (RFC 8489 §5, figure 3). */
export function encodeMessageType(messageClass: MessageClass, method: number): number {
  const bits = messageClasses[messageClass]
  return (
    ((method & 0xf80) << 2) |
    ((method & 0x070) << 1) |
    (method & 0x00f) |
    ((bits & 2) << 7) |
    ((bits & 1) << 4)
  )
}

export function classOf(messageType: number): MessageClass {
  return classNames[((messageType >> 7) & 2) | ((messageType >> 4) & 1)]!
}

export function methodNumberOf(messageType: number): number {
  return ((messageType >> 2) & 0xf80) | ((messageType >> 1) & 0x070) | (messageType & 0x00f)
}

/** The name of a method; undefined for a number that no RFC we know has given one. */
export function methodName(method: number): MethodName | undefined {
  return methodNames.get(method)
}
