<?php
/** The template that WordPress includes in place of the comments of a theme. */
defined('ABSPATH') || exit;

echo Afterword\thread_tag(get_the_ID());
