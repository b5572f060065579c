/* base/: what every other folder stands on. Include this header only; the parts are private to their files'
 * names. Nothing here calls a clock, a random source, a thread, a socket or a file. */
#ifndef LDR_BASE_H
#define LDR_BASE_H
#include "base/alloc.h"
#include "base/assert.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/bug.h"
#include "base/csv.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/hist.h"
#include "base/json.h"
#include "base/json_read.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "base/options.h"
#include "base/pages.h"
#include "base/slice.h"
#include "base/time.h"
#include "base/utf8.h"
#endif
