#include "feature/type.h"

static const char *const names[] = {
    [LDR_BOOL] = "bool",       [LDR_INT32] = "int32",   [LDR_INT64] = "int64", [LDR_FLOAT32] = "float32",
    [LDR_FLOAT64] = "float64", [LDR_STRING] = "string", [LDR_BYTES] = "bytes", [LDR_TIMESTAMP] = "timestamp",
};
static const char *const list_names[] = {
    [LDR_BOOL] = "list<bool>",       [LDR_INT32] = "list<int32>",         [LDR_INT64] = "list<int64>",
    [LDR_FLOAT32] = "list<float32>", [LDR_FLOAT64] = "list<float64>",     [LDR_STRING] = "list<string>",
    [LDR_BYTES] = "list<bytes>",     [LDR_TIMESTAMP] = "list<timestamp>",
};

bool ldr_type_key_valid(unsigned type)
{
    return type == LDR_STRING || type == LDR_BYTES || type == LDR_INT32 || type == LDR_INT64 ||
           type == LDR_BOOL || type == LDR_TIMESTAMP;
}

int ldr_type_parse(struct ldr_slice text, unsigned *type)
{
    for (unsigned t = LDR_BOOL; t <= LDR_TIMESTAMP; t++) {
        if (ldr_slice_eq(text, ldr_slice_str(names[t]))) {
            *type = t;
            return 0;
        }
        if (ldr_slice_eq(text, ldr_slice_str(list_names[t]))) {
            *type = LDR_LIST | t;
            return 0;
        }
    }
    return LDR_E_INVALID;
}

const char *ldr_type_name(unsigned type)
{
    if (!ldr_type_valid(type))
        return "unknown";
    return ldr_type_is_list(type) ? list_names[ldr_type_element(type)] : names[type];
}
