/**
 * Rejects with `createError()` if the promise has not settled after `ms`. A result that has arrived by
 * then, but that a busy process has not read, is in time: the event loop reads its sockets once more.
 */
export const withDeadline = <T>(
  ms: number,
  promise: Promise<T>,
  createError: () => Error,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const expire = () => setImmediate(() => reject(createError()))
    const timer = setTimeout(expire, ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
