import { useEffect, useRef, useState } from 'preact/hooks'

/** One value that changes as a whole, and those who look at it. */
export type Store<S> = {
  readonly state: () => S
  readonly change: (change: Partial<S> | ((state: S) => Partial<S>)) => void
  readonly subscribe: (listener: () => void) => () => void
}

export const createStore = <S extends object>(first: S): Store<S> => {
  let state = first
  const listeners = new Set<() => void>()
  return {
    state: () => state,
    change: (change) => {
      state = { ...state, ...(typeof change === 'function' ? change(state) : change) }
      for (const listener of listeners) listener()
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/**
 * Reads parts of the store. The component draws again only when one of the parts is another value, so that
 * a vote draws one comment and not the thread.
 */
export const useParts = <S, P extends readonly unknown[]>(
  store: Store<S>,
  select: (state: S) => readonly [...P],
): readonly [...P] => {
  const [, draw] = useState({})
  const selected = select(store.state())
  const current = useRef({ select, selected })
  current.current = { select, selected }
  useEffect(() => {
    const compare = () => {
      const { select, selected } = current.current
      const next = select(store.state())
      if (next.some((part, n) => part !== selected[n])) draw({})
    }
    compare()
    return store.subscribe(compare)
  }, [store])
  return selected
}
