import english from './messages/en.json' with { type: 'json' }
import * as posting from './posting.ts'
import {
  Bdi,
  Countdown,
  editableUntil,
  keepDraft,
  later,
  learnEnglish,
  NoticeLine,
  parseBody,
  Refused,
  readDraft,
  tree,
  useEffect,
  useId,
  useLayoutEffect,
  useModel,
  useRef,
  useState,
  useThread,
} from './shared.ts'
import type { Notice } from './thread/model.ts'
import type { Comment } from './wire.ts'

learnEnglish(english)

const DeviceCode = later('dialogs', 'DeviceCode')

const PREVIEW_PAUSE_MS = 400
/** The reader sees how many characters are left from here on. */
const COUNTED_FROM = 0.9
const WAITING = ['slow_mode', 'rate_limited', 'site_busy']
/** The field of the editor for each name of a faulty field in an error of the service. */
const FIELD_OF: Readonly<Record<string, string>> = { name_reserved: 'name', body_too_large: 'body' }

const lengthOf = (text: string): number => Array.from(text).length

type Props = { readonly place: string; readonly isEdit: boolean }

/** The form for a comment, a reply, or an edit of the reader's own comment. */
export const Editor = ({ place, isEdit }: Props) => {
  const model = useModel()
  const { t, identity, store, openPanel } = model
  const [config, viewer, comment] = useThread((state) => [
    state.config!,
    state.viewer,
    state.tree.comments[place],
  ])
  const draftPlace = isEdit ? `edit-${place}` : place
  const [draft, setDraft] = useState(
    () => readDraft(model, draftPlace) ?? { body: isEdit ? (comment?.body ?? '') : '' },
  )
  const [isRestored] = useState(() => readDraft(model, draftPlace) !== undefined)
  const [isKept, setKept] = useState(true)
  const [revision, setRevision] = useState(comment?.revision ?? 1)
  const [guest, setGuest] = useState(() => identity.guest() ?? { name: '' })
  const [isSending, setSending] = useState(false)
  const [notice, setNotice] = useState<Notice & { code?: string }>()
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({})
  const [waitUntil, setWaitUntil] = useState(
    viewer?.reason === 'slow_mode' ? viewer.may_post_at : null,
  )
  const [theirs, setTheirs] = useState<Comment>()
  const [isCodeOpen, setCodeOpen] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const { body } = draft
  const until = comment && editableUntil(viewer, comment)
  const isMember = viewer?.author?.kind === 'member'
  const [isNamed, setNamed] = useState(Boolean(guest.name))

  // A later focus would take the keys of a reader who has gone on to another field.
  useLayoutEffect(() => {
    const area = form.current!.querySelector('textarea')!
    area.focus()
    area.setSelectionRange(area.value.length, area.value.length)
  }, [])

  /** Another text is another intent, with another key. */
  const setBody = (text: string): void => {
    setDraft({ body: text })
    setKept(keepDraft(model, draftPlace, { body: text, at: Date.now() }))
    if (faults.body) setFaults({ ...faults, body: '' })
  }

  const close = (): void => {
    openPanel(place, undefined)
    model.focus(place === tree.ROOTS ? 'comments' : `${place}-${isEdit ? 'actions' : 'reply'}`)
  }

  const validate = (): boolean => {
    const length = lengthOf(body)
    const { min_body_length: least, max_body_length: most } = config
    const found: Record<string, string> = {}
    if (!body.trim()) found.body = t('required')
    else if (length < least) found.body = t('too_short', { n: least })
    else if (length > most) found.body = t('too_long', { n: length - most })
    if (!isEdit && !isMember && !guest.name.trim()) found.name = t('required')
    if (!isEdit && !isMember && config.email_required && !guest.email && !guest.token)
      found.email = t('required')
    setFaults(found)
    const [first] = Object.keys(found)
    if (first) {
      if (first !== 'body') setNamed(false)
      focusField(first)
    }
    return first === undefined
  }

  const focusField = (name: string): void => {
    setTimeout(() => form.current?.querySelector<HTMLElement>(`[name=${name}]`)?.focus())
  }

  /** @returns false if the page cancelled it */
  const send = async (key: string, ifRevision: number): Promise<boolean> => {
    if (isEdit) {
      await posting.editComment(model, { id: place, body, revision: ifRevision, key })
      return true
    }
    const who = isMember ? undefined : guest
    return posting.postComment(model, { parent: place, body, guest: who, key })
  }

  const submit = async (ifRevision = revision): Promise<void> => {
    if (isSending || waitUntil || !validate()) return
    const key = draft.key ?? crypto.randomUUID()
    const sent = { body, key, at: Date.now() }
    setDraft(sent)
    keepDraft(model, draftPlace, sent)
    setSending(true)
    setNotice(undefined)
    try {
      const isSent = await send(key, ifRevision).catch((error) => {
        const isReused = error instanceof Refused && error.code === 'idempotency_key_reused'
        if (!isReused) throw error
        return send(crypto.randomUUID(), ifRevision)
      })
      if (isSent) keepDraft(model, draftPlace, undefined)
    } catch (error) {
      await explain(error)
    }
    setSending(false)
  }

  /** Says beside the text why it is not sent, and keeps the text. */
  const explain = async (error: unknown): Promise<void> => {
    const refused = error instanceof Refused ? error : new Refused('unknown')
    const { code, status, retryAfterSeconds, fields } = refused
    model.emit('error', { code, status, operation: isEdit ? 'editComment' : 'postComment' })
    if (code === 'unknown') console.error('afterword:', error)
    if (WAITING.includes(code)) setWaitUntil(model.timeIn(retryAfterSeconds ?? 5))
    if (code === 'edit_conflict') setTheirs(await posting.readComment(model, place))
    if (code === 'depth_exceeded') return moveUp()
    if (code === 'invalid_token') {
      identity.forgetToken()
      return setNotice({ code, text: t('forgotten', { name: guest.name }), isAlert: true })
    }
    const named = FIELD_OF[code] ? [FIELD_OF[code]] : fields
    if (named.length > 0) {
      setFaults(
        Object.fromEntries(
          named.map((field) => [field, t(FIELD_OF[code] ? `error.${code}` : 'invalid')]),
        ),
      )
      if (named[0] !== 'body') setNamed(false)
      focusField(named[0]!)
    }
    const isUnsent = code === 'network' || code === 'unavailable'
    const text = model.sayError(isUnsent ? 'network' : code)
    const isLogin = code === 'login_required' && model.emit('login', {}, true)
    setNotice({ code, text, isAlert: true, isLogin })
  }

  /** The reply goes to the nearest ancestor that may have one more level. */
  const moveUp = (): void => {
    const parent = comment?.parent_id ?? undefined
    const nearer = parent && tree.replyableFrom(store.state().tree, parent, config.max_depth)
    if (!nearer) {
      setNotice({ text: t('error.depth_exceeded'), isAlert: true })
      return
    }
    keepDraft(model, nearer, { body })
    keepDraft(model, place, undefined)
    openPanel(place, undefined)
    openPanel(nearer, 'reply')
    model.notice(nearer, { text: t('reply_further_up'), isAlert: true })
  }

  const postAsReply = (): void => {
    keepDraft(model, place, { body })
    keepDraft(model, draftPlace, undefined)
    openPanel(place, 'reply')
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      void submit()
    }
  }

  const label = isEdit ? 'save' : 'post'
  return (
    <form
      ref={form}
      class="editor"
      part="editor"
      aria-label={
        isEdit
          ? t('edit')
          : comment?.author
            ? t('reply_to', { name: comment.author.name })
            : t('write')
      }
      noValidate
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      {!isEdit && !isMember && isNamed && (
        <p class="who">
          {t('as', { name: guest.name })}{' '}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              setNamed(false)
              focusField('name')
            }}
          >
            {t('not_you')}
          </button>
        </p>
      )}
      {isMember && (
        <p class="who">
          <Bdi>{t('as', { name: viewer!.author!.name })}</Bdi>
        </p>
      )}
      {!isEdit && !isMember && !isNamed && (
        <div class="fields">
          <Field
            name="name"
            label={t('name')}
            value={guest.name}
            fault={faults.name}
            isRequired
            maxLength={config.max_name_length}
            autocomplete="nickname"
            onInput={(name) => setGuest({ ...guest, name })}
          />
          {config.email_required && (
            <Field
              name="email"
              type="email"
              label={t('email')}
              value={guest.email ?? ''}
              fault={faults.email}
              isRequired
              autocomplete="email"
              onInput={(email) => setGuest({ ...guest, email })}
            />
          )}
        </div>
      )}
      <Field
        name="body"
        label={t('body')}
        value={body}
        fault={faults.body}
        isRequired
        isReadOnly={isSending}
        hint={t('hint')}
        onInput={setBody}
      />
      <Left body={body} most={config.max_body_length} />
      {config.moderation === 'pre' && <p class="muted">{t('premod')}</p>}
      {isRestored && <p class="muted">{t('draft_kept')}</p>}
      {!isKept && <p class="muted">{t('no_drafts')}</p>}
      {isEdit && until && (
        <p class="muted">
          <Countdown
            until={until}
            isQuiet
            say={(time) => t('edit_left', { time })}
            over={() =>
              setNotice({
                code: 'edit_window_over',
                text: t('error.edit_window_over'),
                isAlert: true,
              })
            }
          />
        </p>
      )}
      {waitUntil && (
        <p class="notice">
          <Countdown
            until={waitUntil}
            say={(time) => t('wait', { time })}
            over={() => {
              setWaitUntil(null)
              setNotice(undefined)
              model.say(t('wait_over'))
            }}
          />
        </p>
      )}
      <NoticeLine notice={notice} />
      {notice?.code === 'edit_window_over' && (
        <button type="button" onClick={postAsReply}>
          {t('as_reply')}
        </button>
      )}
      {notice?.code === 'invalid_token' && (
        <button
          type="button"
          onClick={() => {
            setGuest({ ...identity.guest(), name: guest.name })
            setTimeout(() => form.current?.requestSubmit())
          }}
        >
          {t('post_again')}
        </button>
      )}
      {theirs && (
        <Conflict
          theirs={theirs}
          onKeep={() => {
            setRevision(theirs.revision)
            setTheirs(undefined)
            void submit(theirs.revision)
          }}
          onTake={() => {
            setRevision(theirs.revision)
            setBody(theirs.body ?? '')
            setTheirs(undefined)
            setNotice(undefined)
          }}
        />
      )}
      <Preview body={body} />
      <div class="row">
        <button
          type="submit"
          class="primary"
          part="submit"
          aria-disabled={isSending || Boolean(waitUntil)}
        >
          {isSending
            ? t('sending')
            : notice?.code === 'network' || notice?.code === 'unavailable'
              ? t('retry')
              : t(label)}
        </button>
        <button type="button" part="cancel" onClick={close}>
          {t('cancel')}
        </button>
        {!isEdit && !isMember && (
          <button
            type="button"
            class="quiet"
            aria-expanded={isCodeOpen}
            onClick={() => setCodeOpen(!isCodeOpen)}
          >
            {t(guest.token ? 'device_code' : 'code_enter')}
          </button>
        )}
      </div>
      {isCodeOpen && (
        <DeviceCode
          onClaim={() => {
            setGuest(identity.guest() ?? { name: '' })
            setNamed(true)
          }}
        />
      )}
    </form>
  )
}

type FieldProps = {
  readonly name: string
  readonly label: string
  readonly value: string
  readonly fault: string | undefined
  readonly onInput: (value: string) => void
  readonly isRequired?: boolean
  readonly isReadOnly?: boolean
  readonly type?: string
  readonly hint?: string
  readonly maxLength?: number
  readonly autocomplete?: string
}

const Field = ({
  name,
  label,
  value,
  fault,
  onInput,
  hint,
  type = 'text',
  ...rest
}: FieldProps) => {
  const id = useId()
  const described = [fault && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(' ')
  const common = {
    name,
    value,
    part: name === 'body' ? 'textarea' : 'field',
    required: rest.isRequired ?? false,
    readOnly: rest.isReadOnly ?? false,
    'aria-invalid': Boolean(fault),
    ...(described && { 'aria-describedby': described }),
    dir: 'auto' as const,
  }
  return (
    <div class="field">
      <label>
        {label}
        {name === 'body' ? (
          <textarea
            {...common}
            rows={5}
            onInput={({ currentTarget }) => onInput(currentTarget.value)}
          />
        ) : (
          <input
            {...common}
            type={type as 'text'}
            maxLength={rest.maxLength}
            autocomplete={rest.autocomplete as 'off'}
            onInput={({ currentTarget }) => onInput(currentTarget.value)}
          />
        )}
      </label>
      {hint && (
        <p id={`${id}-hint`} class="muted">
          {hint}
        </p>
      )}
      {fault && (
        <p id={`${id}-fault`} class="fault">
          {fault}
        </p>
      )}
    </div>
  )
}

const Left = ({ body, most }: { body: string; most: number }) => {
  const { t } = useModel()
  // A UTF-16 length is never less than the number of characters.
  if (body.length < most * COUNTED_FROM) return null
  const left = most - lengthOf(body)
  return <p class="muted">{left >= 0 ? t('left', { n: left }) : t('too_long', { n: -left })}</p>
}

/** Shows the text as readers will see it, a moment after the latest key. */
const Preview = ({ body }: { body: string }) => {
  const model = useModel()
  const { t } = model
  const [isOpen, setOpen] = useState(false)
  const [html, setHtml] = useState('')
  useEffect(() => {
    if (!isOpen || !body.trim()) return setHtml('')
    const stop = new AbortController()
    const timer = setTimeout(() => {
      posting.previewComment(model, body, stop.signal).then(setHtml, () => {})
    }, PREVIEW_PAUSE_MS)
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [body, isOpen])
  return (
    <div>
      <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {t('preview')}
      </button>
      {isOpen && (
        <div class="body preview" dir="auto" part="preview">
          {parseBody(html)}
        </div>
      )}
    </div>
  )
}

/** Two texts of one comment: its author decides. */
const Conflict = ({
  theirs,
  onKeep,
  onTake,
}: {
  theirs: Comment
  onKeep: () => void
  onTake: () => void
}) => {
  const { t } = useModel()
  const first = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => first.current?.focus(), [])
  return (
    <div>
      <p>{t('theirs')}</p>
      <blockquote dir="auto">{theirs.body}</blockquote>
      <div class="row">
        <button type="button" ref={first} onClick={onKeep}>
          {t('keep_mine')}
        </button>
        <button type="button" onClick={onTake}>
          {t('take_other')}
        </button>
      </div>
    </div>
  )
}
