/** io_uring's structures and constants (linux/io_uring.h), the same on every architecture. */

/** `struct io_uring_sqe`: what is asked. */
export const submission = {
  size: 64,
  opcode: 0,
  flags: 1,
  ioPriority: 2,
  fd: 4,
  address: 16,
  length: 24,
  operationFlags: 28,
  userData: 32,
  bufferGroup: 40,
} as const

/** `struct io_uring_cqe`: what came of it. */
export const completion = { size: 16, userData: 0, result: 8, flags: 12 } as const

/** `struct io_uring_params`, with the offsets of `sq_off` and `cq_off` inside it. */
export const ringParameters = {
  size: 120,
  submissionEntries: 0,
  completionEntries: 4,
  flags: 8,
  features: 20,
  submissionHead: 40,
  submissionTail: 44,
  submissionMask: 48,
  submissionArray: 64,
  completionHead: 80,
  completionTail: 84,
  completionMask: 88,
  completionOverflow: 96,
  completionList: 100,
} as const

/** `struct io_uring_getevents_arg`. */
export const waitArgument = {
  size: 24,
  signalMask: 0,
  signalMaskSize: 8,
  minimumWaitUs: 12,
  timeout: 16,
} as const

/** `struct io_uring_buf_reg`, and `struct io_uring_buf`, whose first one has the ring's tail in it. */
export const bufferRegistration = { size: 40, address: 0, entries: 8, group: 12 } as const
export const ringBuffer = { size: 16, address: 0, length: 8, id: 12, tail: 14 } as const

/** `struct io_uring_recvmsg_out`: what a multishot recvmsg writes in front of name, control data and payload. */
export const receiveHeader = {
  size: 16,
  nameLength: 0,
  controlLength: 4,
  payloadLength: 8,
  flags: 12,
} as const

export const ringConstants = {
  // System calls: the same numbers on x64 and arm64.
  SYS_io_uring_setup: 425n,
  SYS_io_uring_enter: 426n,
  SYS_io_uring_register: 427n,

  IORING_SETUP_CQSIZE: 1 << 3,
  IORING_SETUP_CLAMP: 1 << 4,
  IORING_SETUP_SUBMIT_ALL: 1 << 7,
  IORING_SETUP_SINGLE_ISSUER: 1 << 12,
  IORING_SETUP_DEFER_TASKRUN: 1 << 13,

  IORING_FEAT_SINGLE_MMAP: 1 << 0,
  IORING_FEAT_NODROP: 1 << 1,
  IORING_FEAT_EXT_ARG: 1 << 8,
  IORING_FEAT_MIN_TIMEOUT: 1 << 15,

  IORING_ENTER_GETEVENTS: 1 << 0,
  IORING_ENTER_EXT_ARG: 1 << 3,

  IORING_REGISTER_PBUF_RING: 22,

  IORING_OFF_SQ_RING: 0n,
  IORING_OFF_SQES: 0x1000_0000n,

  IORING_OP_POLL_ADD: 6,
  IORING_OP_SENDMSG: 9,
  IORING_OP_RECVMSG: 10,
  IORING_OP_ASYNC_CANCEL: 14,
  IORING_OP_CLOSE: 19,

  IOSQE_BUFFER_SELECT: 1 << 5,
  IOSQE_CQE_SKIP_SUCCESS: 1 << 6,

  IORING_RECV_MULTISHOT: 1 << 1,
  IORING_POLL_ADD_MULTI: 1 << 0,
  IORING_ASYNC_CANCEL_ALL: 1 << 0,
  IORING_ASYNC_CANCEL_FD: 1 << 1,

  IORING_CQE_F_BUFFER: 1 << 0,
  IORING_CQE_F_MORE: 1 << 1,
  IORING_CQE_BUFFER_SHIFT: 16,
} as const
