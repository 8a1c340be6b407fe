import { renderMarkdown } from '../../domain/comment/markdown.ts'

/** What the text would look like. Nothing is stored. */
export const previewComment = (body: string): string => renderMarkdown(body)
