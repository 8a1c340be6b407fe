import { register } from './elements.ts'

/**
 * The widget for a page with a bundler: `import '@afterword/embed'`. Each tag names its `service`, and a
 * page in another language gives the sentences of `@afterword/embed/messages/…` to the property `messages`.
 */
const SCRIPTS = {
  thread: () => import('./thread/thread.tsx'),
  lists: () => import('./lists.ts'),
  count: () => import('./count.ts'),
  editor: () => import('./editor.tsx'),
  dialogs: () => import('./dialogs.tsx'),
}

register({
  service: '',
  load: (name) => SCRIPTS[name](),
  loadMessages: async () => undefined,
})
