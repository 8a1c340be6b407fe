import type { ComponentChildren } from 'preact'
import * as acting from './acting.ts'
import english from './messages/en.json' with { type: 'json' }
import {
  Bdi,
  learnEnglish,
  Refused,
  useEffect,
  useLayoutEffect,
  useModel,
  useRef,
  useState,
  useThread,
} from './shared.ts'
import type { Panel } from './thread/model.ts'
import type { Comment, Decided, Statement } from './wire.ts'

learnEnglish(english)

/** The rare acts on one comment; loaded when the first of them is asked for. */
export const Dialog = ({ comment, panel }: { comment: Comment; panel: Panel }) => {
  if (panel === 'delete') return <Delete comment={comment} />
  if (panel === 'report') return <Report comment={comment} />
  return <Why id={comment.id} />
}

/** A small form below its comment. It takes the focus and gives it back to the button that opened it. */
const Small = ({
  label,
  action,
  children,
  onSend,
  onClose,
}: {
  label: string
  action: string
  children?: ComponentChildren
  onSend: () => Promise<void>
  onClose: () => void
}) => {
  const { t, sayError } = useModel()
  const form = useRef<HTMLFormElement>(null)
  const [isSending, setSending] = useState(false)
  const [error, setError] = useState('')
  // A later focus would take the keys of a reader who has gone on to another field.
  useLayoutEffect(
    () => form.current?.querySelector<HTMLElement>('input, textarea, button')?.focus(),
    [],
  )
  const send = async (): Promise<void> => {
    if (isSending) return
    setSending(true)
    setError('')
    await onSend().catch((refused) => {
      setError(sayError(refused instanceof Refused ? refused.code : 'unknown'))
    })
    setSending(false)
  }
  return (
    <form
      ref={form}
      class="editor"
      aria-label={label}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose()
      }}
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      <p>{label}</p>
      {children}
      {error && (
        <p class="notice" role="alert">
          {error}
        </p>
      )}
      <div class="row">
        <button type="submit" class="primary" aria-disabled={isSending}>
          {isSending ? t('sending') : action}
        </button>
        <button type="button" onClick={onClose}>
          {t('cancel')}
        </button>
      </div>
    </form>
  )
}

/** One key for all attempts at one act. */
const useKey = (): string => useState(() => crypto.randomUUID())[0]

const useClose = (id: string) => {
  const { openPanel, focus } = useModel()
  return () => {
    openPanel(id, 'actions')
    focus(`${id}-actions`)
  }
}

const Delete = ({ comment: { id } }: { comment: Comment }) => {
  const model = useModel()
  const { t } = model
  const key = useKey()
  return (
    <Small
      label={t('delete_sure')}
      action={t('delete')}
      onSend={() => acting.deleteComment(model, id, key)}
      onClose={useClose(id)}
    />
  )
}

const Report = ({ comment: { id } }: { comment: Comment }) => {
  const model = useModel()
  const { t } = model
  const [config] = useThread((state) => [state.config!])
  const [reason, setReason] = useState(config.flag_reasons[0]!)
  const [note, setNote] = useState('')
  const key = useKey()
  return (
    <Small
      label={t('report_why')}
      action={t('report')}
      onSend={async () => {
        await acting.flagComment(model, { id, reason, note, key })
        model.focus(`${id}-actions`)
      }}
      onClose={useClose(id)}
    >
      <div class="choices">
        {config.flag_reasons.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="reason"
              value={name}
              checked={name === reason}
              onChange={() => setReason(name)}
            />{' '}
            {t(`reason.${name}`)}
          </label>
        ))}
      </div>
      <label>
        {t('report_note')}
        <textarea
          rows={2}
          maxLength={1000}
          dir="auto"
          value={note}
          onInput={({ currentTarget }) => setNote(currentTarget.value)}
        />
      </label>
    </Small>
  )
}

/** The statement of reasons for an own comment, and the way to an appeal. */
const Why = ({ id }: { id: string }) => {
  const model = useModel()
  const { t } = model
  const [statement, setStatement] = useState<Statement>()
  const [isSent, setSent] = useState(false)
  const [error, setError] = useState('')
  const line = useRef<HTMLParagraphElement>(null)
  useEffect(() => {
    acting.readStatement(model, id).then(setStatement, () => setError(t('error.unknown')))
  }, [id])
  useLayoutEffect(() => line.current?.focus(), [statement, isSent])
  if (!statement) return <p role={error ? 'alert' : undefined}>{error || t('loading')}</p>
  const { ground, appeal } = statement
  return (
    <div class="statement">
      <p ref={line} tabIndex={-1}>
        {t(`statement.${statement.status}`)} {t(`decided_by.${statement.decided_by}`)}
      </p>
      {(ground.reason || ground.rules.length > 0) && (
        <ul>
          {ground.reason && <li>{t(`reason.${ground.reason}`)}</li>}
          {ground.rules.map(({ rule }) => {
            const sentence = t(`rule.${rule}`)
            return <li key={rule}>{sentence.startsWith('rule.') ? t('rule.other') : sentence}</li>
          })}
        </ul>
      )}
      {appeal && (
        <p>
          {t(appeal.outcome ? `appeal_${appeal.outcome}` : 'appeal_sent')}{' '}
          {appeal.note && <Bdi>{appeal.note}</Bdi>}
        </p>
      )}
      {isSent && <p role="status">{t('appeal_sent')}</p>}
      {statement.may_appeal && !isSent && <Appeal id={id} onSent={() => setSent(true)} />}
    </div>
  )
}

const Appeal = ({ id, onSent }: { id: string; onSent: () => void }) => {
  const model = useModel()
  const { t } = model
  const [isOpen, setOpen] = useState(false)
  const [text, setText] = useState('')
  const key = useKey()
  if (!isOpen)
    return (
      <button type="button" onClick={() => setOpen(true)}>
        {t('appeal')}
      </button>
    )
  return (
    <Small
      label={t('appeal')}
      action={t('send')}
      onSend={async () => {
        await acting.appealDecision(model, id, text, key)
        model.say(t('appeal_sent'))
        onSent()
      }}
      onClose={() => setOpen(false)}
    >
      <label>
        {t('appeal_why')}
        <textarea
          rows={3}
          maxLength={2000}
          required
          dir="auto"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
    </Small>
  )
}

/** The reader's own comments that were not published: no page that others share contains them. */
export const Decisions = () => {
  const [viewer] = useThread((state) => [state.viewer])
  return (
    <ul role="list" class="list">
      {(viewer?.decided ?? []).map((decided) => (
        <li key={decided.id}>
          <Turned decided={decided} />
        </li>
      ))}
    </ul>
  )
}

const Turned = ({ decided: { id, decision } }: { decided: Decided }) => {
  const { t, times } = useModel()
  const [isOpen, setOpen] = useState(false)
  const reason = decision.reason ? t(`reason.${decision.reason}`) : t(`decided_by.${decision.by}`)
  return (
    <>
      <p class="notice">
        {t('rejected', { reason })}{' '}
        <time class="muted" dateTime={decision.at}>
          {times.ago(decision.at)}
        </time>{' '}
        <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {t('why')}
        </button>
      </p>
      {decision.note && <blockquote dir="auto">{decision.note}</blockquote>}
      {isOpen && <Why id={id} />}
    </>
  )
}

/** Carries a guest's name and comments to another device by a code. */
export const DeviceCode = ({ onClaim }: { onClaim: () => void }) => {
  const model = useModel()
  const { t, identity } = model
  const guest = identity.guest()
  const [code, setCode] = useState('')
  const [entered, setEntered] = useState('')
  const [said, setSaid] = useState('')
  const refuse = (error: unknown): void => {
    const isWrong =
      error instanceof Refused && ['not_found', 'invalid_request'].includes(error.code)
    const code = error instanceof Refused ? error.code : 'unknown'
    setSaid(isWrong ? t('code_wrong') : model.sayError(code))
  }
  // The reader has asked for a code by opening this.
  useEffect(() => {
    if (guest?.token) acting.transferGuest(model).then(setCode, refuse)
  }, [])
  const claim = (): void => {
    acting.claimGuest(model, entered.trim()).then(({ name }) => {
      setSaid(t('code_done', { name }))
      onClaim()
    }, refuse)
  }
  return (
    <div class="panel">
      {code && (
        <p>
          {t('device_code_how')} <output class="code">{code}</output>
        </p>
      )}
      <label>
        {t('code_enter')}
        <input
          name="code"
          autocomplete="one-time-code"
          value={entered}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return
            event.preventDefault()
            claim()
          }}
          onInput={({ currentTarget }) => setEntered(currentTarget.value)}
        />
      </label>
      {guest?.token && entered && <p class="muted">{t('code_replace', { name: guest.name })}</p>}
      <p class="row">
        <button type="button" onClick={claim}>
          {t('code_use')}
        </button>
      </p>
      <p role="status">{said}</p>
    </div>
  )
}
