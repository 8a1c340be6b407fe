import { type ComponentChildren, type ComponentType, createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { useParts } from './store.ts'
import type { Model, Notice, State } from './thread/model.ts'

/** The thread that a component belongs to. */
export const ModelContext = createContext<Model>(undefined as unknown as Model)
export const useModel = (): Model => useContext(ModelContext)

export const useThread = <P extends readonly unknown[]>(
  select: (state: State) => readonly [...P],
) => useParts(useModel().store, select)

/** Text of an author: its direction is its own. */
export const Bdi = ({ children }: { children: ComponentChildren }) => <bdi>{children}</bdi>

/** A sentence beside its cause. */
export const NoticeLine = ({ notice }: { notice: Notice | undefined }) => {
  const model = useModel()
  const login = notice?.isLogin && model.loginAddress()
  if (!notice) return null
  return (
    <p class="notice" role={notice.isAlert ? 'alert' : 'status'} part="message">
      {notice.text}{' '}
      {login && (
        <a
          href={login}
          part="login"
          onClick={(event) => model.emit('login', {}, true) || event.preventDefault()}
        >
          {model.t('login')}
        </a>
      )}
    </p>
  )
}

/** Tells until when a reader waits; a screen reader hears it when it begins, at ten seconds, and at its end. */
export const Countdown = ({
  until,
  isQuiet = false,
  say,
  over,
}: {
  until: string
  isQuiet?: boolean
  say: (time: string) => string
  over?: () => void
}) => {
  const { secondsUntil, times, say: announce } = useModel()
  const [left, setLeft] = useState(() => secondsUntil(until))
  useEffect(() => {
    if (!isQuiet) announce(say(times.span(secondsUntil(until))))
    const timer = setInterval(() => {
      const now = secondsUntil(until)
      setLeft(now)
      if (!isQuiet && now <= 10 && now > 9) announce(say(times.span(now)))
      if (now > 0) return
      clearInterval(timer)
      over?.()
    }, 1000)
    return () => clearInterval(timer)
  }, [until])
  return <>{say(times.span(Math.max(0, left)))}</>
}

type Later = {
  readonly editor: typeof import('./editor.tsx')
  readonly dialogs: typeof import('./dialogs.tsx')
}

/** A component whose script is loaded when it is first shown. */
export const later = <F extends keyof Later, N extends keyof Later[F]>(file: F, name: N) => {
  type Props = Later[F][N] extends (props: infer P) => unknown ? P : never
  let known: ComponentType<Props & object> | undefined
  return (props: Props & object) => {
    const { t, start } = useModel()
    const [, draw] = useState(false)
    const [hasFailed, setFailed] = useState(false)
    useEffect(() => {
      if (known) return
      start.load(file).then(
        (loaded) => {
          known = (loaded as Later[F])[name] as typeof known
          draw(true)
        },
        () => setFailed(true),
      )
    }, [])
    const Component = known
    if (Component) return <Component {...props} />
    return (
      <p class="notice" role={hasFailed ? 'alert' : undefined}>
        {t(hasFailed ? 'error.unknown' : 'loading')}
      </p>
    )
  }
}
