/* feature/: the domain, pure. Types, values, schemas, rows, keys, facts and the as-of rule. Include this
 * header only. */
#ifndef LDR_FEATURE_H
#define LDR_FEATURE_H
#include "feature/fact.h"
#include "feature/key.h"
#include "feature/row.h"
#include "feature/schema.h"
#include "feature/text.h"
#include "feature/type.h"
#include "feature/value.h"
#endif
