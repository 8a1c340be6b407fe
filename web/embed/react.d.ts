import type { DetailedHTMLProps, HTMLAttributes } from 'react'
import type { AfterwordCount, AfterwordRecent, AfterwordStaff, AfterwordThread } from './embed.d.ts'

/** The attributes of a tag as React writes them in HTML. */
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- React is installed where the types are used
type TagAttributes<Tag, Names extends string> = DetailedHTMLProps<HTMLAttributes<Tag>, Tag> & {
  [name in Names | 'service' | 'site' | 'theme']?: string | number | undefined
} & { class?: string | undefined }

type Drawn = 'loading' | 'heading-level'

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'afterword-thread': TagAttributes<
        AfterwordThread,
        | Drawn
        | 'article'
        | 'sort'
        | 'limit'
        | 'depth'
        | 'replies'
        | 'density'
        | 'avatars'
        | 'keys'
        | 'fallback'
        | 'token-url'
        | 'login-url'
      >
      'afterword-count': TagAttributes<AfterwordCount, 'article' | 'format' | 'zero'>
      'afterword-recent': TagAttributes<AfterwordRecent, Drawn | 'limit' | 'excerpt' | 'parent'>
      'afterword-staff': TagAttributes<AfterwordStaff, Drawn | 'roles' | 'avatars'>
    }
  }
}
